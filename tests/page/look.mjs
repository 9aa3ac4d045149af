// Opens reports in a real browser, light and dark, wide and narrow: nothing may be fetched, nothing may be complained of, and
// nothing may stick out. Leaves a screenshot of each.
//
//   node look.mjs FOLDER PAGE.html…      CHROMIUM names the browser, PLAYWRIGHT the folder of playwright-core
import { createRequire } from 'node:module';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const { chromium } = createRequire(import.meta.url)(process.env.PLAYWRIGHT);
const [folder, ...pages] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
const faults = [];

for (const page of pages) {
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [1200, 420]) {
      await look(resolve(page), colorScheme, width);
    }
  }
}
await browser.close();
faults.forEach((fault) => console.error(fault));
process.exit(faults.length === 0 && pages.length > 0 ? 0 : 1);

async function look(path, colorScheme, width) {
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 800 }, javaScriptEnabled: true });
  const tab = await context.newPage();
  const name = `${basename(path, '.html')}-${colorScheme}-${width}`;
  const fault = (what) => faults.push(`${name}: ${what}`);
  const own = pathToFileURL(path).href;
  tab.on('console', (message) => fault(`the console says: ${message.text()}`));
  tab.on('pageerror', (error) => fault(`an error: ${error.message}`));
  tab.on('request', (request) => request.url() !== own && !request.url().startsWith('data:') && fault(`asks for ${request.url()}`));
  await tab.goto(own);
  const seen = await tab.evaluate(() => ({
    sticksOut: document.documentElement.scrollWidth > document.documentElement.clientWidth,
    background: getComputedStyle(document.body).backgroundColor,
    bars: [...document.querySelectorAll('.track .bar')].filter((bar) => bar.getBoundingClientRect().width > 0).length,
    sections: [...document.querySelectorAll('h2')].map((title) => title.textContent),
    text: document.body.innerText.length,
  }));
  if (seen.sticksOut) fault('something sticks out to the right');
  if (seen.bars === 0) fault('its timeline is empty');
  if ((seen.background === 'rgb(255, 255, 255)') !== (colorScheme === 'light')) fault(`its background is ${seen.background}`);
  await tab.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  console.log(`${name}: ${seen.sections.join(', ')}; ${seen.bars} bars, ${seen.text} characters`);
  await context.close();
}
