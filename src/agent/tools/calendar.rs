//! The calendar behind the scheduling tools.

use jiff::civil::{Date, Weekday};

use crate::agent::prompts::long_date;

/// Working hours, on a grid of half hours.
const OPENS: u32 = 9 * 60;
const CLOSES: u32 = 17 * 60;
const SLOT: u32 = 30;
const HOURS: u32 = (CLOSES - OPENS) / 60;

/// Which times of which days are free: a pure function of the seed and the day.
///
/// Every working day has some free times, at least two whole hours among them, and some
/// that are taken; weekends have none free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    seed: u64,
}

impl Calendar {
    pub fn new(seed: u64) -> Self {
        Calendar { seed }
    }

    /// Free times as (start, end) in minutes after midnight, in order, with a gap between
    /// any two.
    pub fn free(self, day: Date) -> Vec<(u32, u32)> {
        let slots = self.slots(day);
        let mut free: Vec<(u32, u32)> = Vec::new();
        for slot in (0..HOURS * 2).filter(|slot| slots & (1 << slot) != 0) {
            let start = OPENS + slot * SLOT;
            match free.last_mut() {
                Some((_, end)) if *end == start => *end += SLOT,
                _ => free.push((start, start + SLOT)),
            }
        }
        free
    }

    /// Whether all of `minutes` from `start` (minutes after midnight) are free.
    pub fn is_free(self, day: Date, start: u32, minutes: u32) -> bool {
        let end = start + minutes;
        self.free(day)
            .iter()
            .any(|(from, to)| *from <= start && end <= *to)
    }

    /// A sentence that lists the free times: `Free on Tuesday, 3 March 2026 (2026-03-03):
    /// 09:00-10:30, 14:00-15:00.`
    pub fn describe(self, day: Date) -> String {
        let named = format!("{} ({day})", long_date(day));
        let free = self.free(day);
        if free.is_empty() {
            return format!("Nothing is free on {named}.");
        }
        let times: Vec<String> = free
            .iter()
            .map(|(start, end)| format!("{}-{}", clock(*start), clock(*end)))
            .collect();
        format!("Free on {named}: {}.", times.join(", "))
    }

    /// One bit for each half hour of the working day, the first the lowest.
    fn slots(self, day: Date) -> u32 {
        if matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
            return 0;
        }
        let days = i64::from(day.year()) * 372 + i64::from(day.month()) * 31 + i64::from(day.day());
        let noise = mix(mix(self.seed) ^ days as u64);
        // Four bits for each hour: whole, one half of it, or taken.
        let mut slots = (0..HOURS).fold(0, |slots, hour| {
            let halves = match (noise >> (hour * 4)) & 0xf {
                0..=5 => 0b11,
                6 => 0b01,
                7 => 0b10,
                _ => 0b00,
            };
            slots | halves << (hour * 2)
        });
        // Two hours that are free and one that is not, whatever the rest came to: one
        // free in the morning, one in the afternoon, and a taken one beside either.
        let [morning, afternoon] = [noise >> 40 & 3, 4 + (noise >> 42 & 3)];
        slots |= 0b11 << (morning * 2) | 0b11 << (afternoon * 2);
        let taken = [morning, afternoon][(noise >> 44 & 1) as usize] ^ 1;
        slots &= !(0b11 << (taken * 2));
        slots
    }
}

fn clock(minutes: u32) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Spreads every bit of `value` over the whole result, the same on every machine.
///
/// Source: the finalizer of SplitMix64, G. L. Steele et al., "Fast splittable pseudorandom
/// number generators", OOPSLA 2014.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan;

    fn days() -> impl Iterator<Item = Date> {
        let first = jiff::civil::date(2026, 1, 1);
        (0..800).map(move |n| first + n.days())
    }

    #[test]
    fn a_working_day_has_whole_hours_free_in_either_half_and_times_that_are_taken() {
        for seed in [0, 1, 42, u64::MAX] {
            let calendar = Calendar::new(seed);
            for day in days() {
                let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
                let hours: Vec<u32> = (9..17)
                    .filter(|hour| calendar.is_free(day, hour * 60, 60))
                    .collect();
                assert_eq!(hours.iter().any(|hour| *hour < 13), !weekend, "{day}");
                assert_eq!(hours.iter().any(|hour| *hour >= 13), !weekend, "{day}");
                assert!(hours.len() < 8, "{day} is empty");
            }
        }
    }

    #[test]
    fn free_times_depend_on_the_day_and_the_seed_and_on_nothing_else() {
        let count = |times: Vec<Vec<(u32, u32)>>| {
            let mut times = times;
            times.sort();
            times.dedup();
            times.len()
        };
        let calendar = Calendar::new(7);
        assert!(count(days().map(|day| calendar.free(day)).collect()) > 100);
        let day = jiff::civil::date(2026, 3, 3);
        assert!(count((0..800).map(|seed| Calendar::new(seed).free(day)).collect()) > 100);
        assert_eq!(Calendar::new(7).free(day), calendar.free(day));
    }

    #[test]
    fn what_is_free_is_told_in_one_sentence() {
        let calendar = Calendar::new(0);
        insta::assert_snapshot!(
            calendar.describe(jiff::civil::date(2026, 3, 3)),
            @"Free on Tuesday, 3 March 2026 (2026-03-03): 12:00-13:00, 14:00-16:00."
        );
        insta::assert_snapshot!(
            calendar.describe(jiff::civil::date(2026, 3, 7)),
            @"Nothing is free on Saturday, 7 March 2026 (2026-03-07)."
        );
    }

    #[test]
    fn a_time_is_free_only_as_a_whole_and_within_working_hours() {
        let calendar = Calendar::new(0);
        for day in days().take(60) {
            for (start, end) in calendar.free(day) {
                assert!(calendar.is_free(day, start, end - start));
                assert!(!calendar.is_free(day, start, end - start + 1));
            }
            assert!(!calendar.is_free(day, 8 * 60, 60));
            assert!(!calendar.is_free(day, 23 * 60, 480));
        }
    }
}
