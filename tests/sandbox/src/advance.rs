//! How time passes, and what others do meanwhile.

use crate::around::Around;
use crate::ecs::{Change, Check, Service, Task, one_off, wire_service};
use crate::script::{Deed, Scripted, When};
use crate::world::World;

/// The parts of ECS that move, apart from what they look at.
pub(crate) struct Movers<'a> {
    pub(crate) services: &'a mut Vec<Service>,
    pub(crate) one_off: &'a mut Vec<Task>,
    pub(crate) one_off_exit: i32,
}

impl World {
    /// Lets the world go on until `now`, sandbox seconds since its start; everything due before then happens in order
    /// and at its own time. Going back does nothing.
    pub fn advance(&mut self, now: f64) {
        self.agree_on_checks();
        // What a test changed by hand counts from here on.
        self.step();
        while let Some(due) = self.next_due().filter(|due| *due <= now) {
            self.pass(due);
            // Somebody's deed may have changed any service; else only those move for which something is due.
            if self.perform_due() { self.step() } else { self.step_what_is_due() }
        }
        self.pass(now);
        // Nothing is due, but an hour may be over for a stopped task.
        self.step();
    }

    fn pass(&mut self, now: f64) {
        if now > self.now {
            self.real += (now - self.now) / self.time_scale.max(f64::MIN_POSITIVE);
            self.now = now;
        }
    }

    fn next_due(&self) -> Option<f64> {
        let services = self.ecs.services.iter().filter_map(Service::due);
        let deeds = self.script.iter().filter_map(|scripted| match scripted.when {
            When::At(at) => Some(at),
            _ => None,
        });
        services.chain(deeds).chain(one_off::due(&self.ecs.one_off)).min_by(f64::total_cmp)
    }

    fn step(&mut self) {
        let (movers, mut around) = self.around();
        for service in movers.services.iter_mut() {
            service.step(&mut around);
        }
        one_off::step(movers.one_off, movers.one_off_exit, &mut around);
    }

    fn step_what_is_due(&mut self) {
        let (movers, mut around) = self.around();
        let now = around.now;
        for service in movers.services.iter_mut().filter(|service| service.due().is_some_and(|due| due <= now)) {
            service.step(&mut around);
        }
        one_off::step(movers.one_off, movers.one_off_exit, &mut around);
    }

    /// The world taken apart: what moves, and what it sees.
    pub(crate) fn around(&mut self) -> (Movers<'_>, Around<'_>) {
        let movers = Movers { services: &mut self.ecs.services, one_off: &mut self.ecs.one_off, one_off_exit: self.ecs.one_off_exit };
        let around = Around {
            now: self.now,
            ids: &mut self.ids,
            ecr: &self.ecr,
            secrets: &self.secrets,
            logs: &mut self.logs,
            definitions: &self.ecs.definitions,
        };
        (movers, around)
    }

    /// A test that gives a service another check means the whole of it: the running definition follows.
    fn agree_on_checks(&mut self) {
        for service in self.ecs.services.iter_mut().filter(|service| service.checked_as != service.check) {
            service.checked_as = service.check;
            let running = self.ecs.definitions.iter_mut().find(|it| it.arn == service.task_definition);
            let containers = running.and_then(|it| it.body["containerDefinitions"].as_array_mut());
            let Some(main) = containers.and_then(|list| list.iter_mut().find(|it| it["name"] == service.container.as_str())) else {
                continue;
            };
            if service.check == Check::Container {
                main["healthCheck"] = crate::escher::health_check(service.port);
            } else if let Some(main) = main.as_object_mut() {
                main.shift_remove("healthCheck");
            }
        }
    }

    /// Whether anything was done.
    fn perform_due(&mut self) -> bool {
        let now = self.now;
        self.perform(|when| matches!(when, When::At(at) if *at <= now))
    }

    fn perform(&mut self, is_due: impl Fn(&When) -> bool) -> bool {
        let (due, later): (Vec<Scripted>, Vec<Scripted>) = self.script.drain(..).partition(|scripted| is_due(&scripted.when));
        self.script = later;
        for scripted in &due {
            self.do_deed(&scripted.deed);
        }
        !due.is_empty()
    }

    /// Just before an UpdateService is executed.
    pub(crate) fn before_update(&mut self, name: &str) {
        self.perform(|when| matches!(when, When::BeforeUpdate { service } if service == name));
    }

    /// Just before any call is executed. One without an effect counts, too.
    pub(crate) fn before_call(&mut self, party: &str) {
        if party == "ecs" {
            self.ecs_calls += 1;
            let number = self.ecs_calls;
            self.perform(|when| matches!(when, When::BeforeCall(wanted) if *wanted <= number));
        }
    }

    /// After one succeeded: now it is known when the deeds that follow it are due.
    pub(crate) fn after_update(&mut self, name: &str) {
        let now = self.now;
        for scripted in &mut self.script {
            if let When::AfterUpdate { service, seconds } = &scripted.when
                && service == name
            {
                scripted.when = When::At(now + seconds);
            }
        }
    }

    fn do_deed(&mut self, deed: &Deed) {
        let now = self.now;
        match deed {
            Deed::StrangerDeploys { service } => self.stranger_deploys(service, now),
            Deed::StopTasks { service } => {
                for task in self.service_mut(service).tasks.iter_mut().filter(|task| task.live()) {
                    task.stop_now(now, "UserInitiated", "Task stopped by user");
                }
            }
            Deed::SetDesired { service, count } => {
                let count = *count;
                self.change(service, Change { desired: Some(count), ..Change::default() });
            }
            Deed::Rollback { service } => {
                if let Some(index) = self.ecs.services.iter().position(|it| it.name == *service) {
                    self.roll_back(index);
                }
            }
        }
    }

    /// Somebody else registers a copy of the running definition and updates the service with it.
    pub fn stranger_deploys(&mut self, service: &str, now: f64) {
        self.pass(now);
        let running = self.service_mut(service).task_definition.clone();
        let Some(definition) = self.ecs.definition(&running) else { return };
        let mut body = definition.body.clone();
        if !definition.tags.is_empty() {
            body["tags"] = definition.tags.clone().into();
        }
        let by = format!("arn:aws:sts::{}:assumed-role/somebody-else/console", self.account);
        let prefix = self.arn_prefix();
        let copy = self.ecs.register(body, &prefix, &by, self.now).map(|copy| copy.arn.clone());
        if let Ok(arn) = copy {
            self.change(service, Change { task_definition: Some(arn), ..Change::default() });
        }
    }

    fn change(&mut self, service: &str, change: Change) {
        if let Some(index) = self.ecs.services.iter().position(|it| it.name == service) {
            self.update_service(index, change);
        }
    }

    /// Executes an UpdateService, whoever sent it.
    pub(crate) fn update_service(&mut self, index: usize, change: Change) {
        let (now, epoch, stale) = (self.now, self.epoch, self.ecs.stale_reads);
        let lag = self.ecs.failure_lags;
        let service = &mut self.ecs.services[index];
        if stale > 0.0 {
            service.stale = Some((now + stale, wire_service::describe(service, now, epoch, lag)));
        }
        service.update(change, now, &mut self.ids);
    }

    /// StopServiceDeployment with ROLLBACK; false when there is nothing to stop or to go back to.
    pub(crate) fn roll_back(&mut self, index: usize) -> bool {
        let (movers, mut around) = self.around();
        movers.services.get_mut(index).is_some_and(|service| service.roll_back_by_hand(&mut around))
    }
}
