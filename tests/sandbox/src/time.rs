//! Times as text.

/// `2026-11-23T21:54:46Z` of a unix time. (Howard Hinnant's `civil_from_days`, for the years that matter here.)
pub(crate) fn iso(unix: f64) -> String {
    let seconds = unix.floor() as i64;
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// The first and the last second that a time means: `2026-11-23T21:54:46Z`, also with an offset or with fractions, is one
/// second, `2026-11-23` a day.
pub(crate) fn unix_of(text: &str) -> Option<(f64, f64)> {
    let date = text.get(..10)?;
    let numbers = |text: &str, at: char| text.split(at).map(|part| part.parse::<i64>().ok()).collect::<Option<Vec<i64>>>();
    let [year, month, day] = numbers(date, '-')?.try_into().ok()?;
    let day = days(year, month, day) * 86_400;
    let Some(rest) = text.get(10..).filter(|rest| !rest.is_empty()) else {
        return Some((day as f64, day as f64 + 86_399.0));
    };
    let [hour, minute, second] = numbers(rest.get(1..9)?, ':')?.try_into().ok()?;
    let zone = rest.get(9..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = match zone.split_at_checked(1)? {
        ("Z", "") => 0,
        (sign @ ("+" | "-"), offset) => {
            let [hours, minutes] = numbers(offset, ':')?.try_into().ok()?;
            (hours * 3600 + minutes * 60) * if sign == "+" { 1 } else { -1 }
        }
        _ => return None,
    };
    let at = (day + hour * 3600 + minute * 60 + second - offset) as f64;
    Some((at, at))
}

/// Days since 1970 (Howard Hinnant's `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_unix_time_reads_as_its_date() {
        assert_eq!(super::iso(0.0), "1970-01-01T00:00:00Z");
        assert_eq!(super::iso(1_709_210_096.9), "2024-02-29T12:34:56Z");
        assert_eq!(super::iso(1_795_467_286.0), "2026-11-23T20:54:46Z");
    }

    #[test]
    fn a_date_reads_as_its_unix_time() {
        for at in [0.0, 951_782_400.0, 1_709_210_096.0, 1_795_467_286.0] {
            assert_eq!(super::unix_of(&super::iso(at)), Some((at, at)));
        }
        assert_eq!(super::unix_of("2024-02-29T13:34:56.25+01:00"), Some((1_709_210_096.0, 1_709_210_096.0)));
        assert_eq!(super::unix_of("1970-01-02"), Some((86_400.0, 172_799.0)));
        for wrong in ["", "yesterday", "2026-11-23T", "2026-11-23T21:54", "2026-11-23T21:54:46", "2026-11-23T21:54:46X"] {
            assert_eq!(super::unix_of(wrong), None, "{wrong}");
        }
    }
}
