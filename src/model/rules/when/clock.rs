//! Numbers as times of day and days of a month.

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Morning,
    Evening,
}

/// A time of day; a bare hour counts only where `expected`.
pub(super) fn clock(number: &str, half: Option<Half>, expected: bool) -> Option<u16> {
    let lower = number.to_ascii_lowercase();
    let (digits, half) = match (lower.strip_suffix("am"), lower.strip_suffix("pm")) {
        (Some(digits), _) => (digits, Some(Half::Morning)),
        (_, Some(digits)) => (digits, Some(Half::Evening)),
        _ => (lower.as_str(), half),
    };
    let (hour, minute, sure) = match digits.split_once(':').or_else(|| digits.split_once('h')) {
        Some((hour, "")) => (hour, "0", true),
        Some((hour, minute)) if minute.len() == 2 => (hour, minute, true),
        Some(_) => return None,
        // "3.15" is a time only after "at" and the like.
        None => match digits.split_once('.') {
            Some((hour, minute)) if minute.len() == 2 => (hour, minute, false),
            Some(_) => return None,
            None => (digits, "0", false),
        },
    };
    if hour.len() > 2 || !(sure || expected || half.is_some()) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    if hour > 23 || minute > 59 {
        return None;
    }
    let hour = match half {
        Some(Half::Evening) if hour < 12 => hour + 12,
        Some(Half::Morning) if hour == 12 => 0,
        Some(_) => hour,
        // People meet between eight and eight: "at 2" is two in the afternoon.
        None if (1..8).contains(&hour) && !(sure && digits.starts_with('0')) => hour + 12,
        None => hour,
    };
    Some(hour * 60 + minute)
}

pub(super) fn leading_number(text: &str) -> Option<(i8, usize)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || digits > 2 {
        return None;
    }
    Some((text[..digits].parse().ok()?, digits))
}

pub(super) fn is_ordinal_ending(text: &str) -> bool {
    matches!(
        text,
        "" | "st" | "nd" | "rd" | "th" | "er" | "º" | "ª" | "ST" | "ND" | "RD" | "TH"
    )
}
