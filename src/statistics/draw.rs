//! Some of what was counted, as if it had been met one after another.

use super::bootstrap::SplitMix64;

/// How many of each kind are among `draws` of them, where there are so many of each kind and
/// none is put back; all of them where there are no more.
///
/// Where the order in which they were met says nothing, the first `draws` are distributed so.
/// `stream` tells draws of one seed apart; the result depends on the arguments alone.
pub fn draw<const KINDS: usize>(
    mut kinds: [u32; KINDS],
    draws: u32,
    seed: u64,
    stream: u64,
) -> [u32; KINDS] {
    // Tells these numbers from those that other methods draw with the same seed.
    const OWN: u64 = 0x6472_6177;
    let mut random = SplitMix64::of(seed ^ OWN, stream);
    let mut drawn = [0; KINDS];
    for _ in 0..draws {
        let left: usize = kinds.iter().map(|&count| count as usize).sum();
        if left == 0 {
            break;
        }
        let mut at = random.below(left);
        for (kind, count) in kinds.iter_mut().enumerate() {
            match at.checked_sub(*count as usize) {
                Some(beyond) => at = beyond,
                None => {
                    *count -= 1;
                    drawn[kind] += 1;
                    break;
                }
            }
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_drawn_than_there_is() {
        assert_eq!(draw([2, 0, 3], 9, 1, 1), [2, 0, 3]);
        assert_eq!(draw([2, 0, 3], 0, 1, 1), [0, 0, 0]);
        for stream in 0..100 {
            let [passed, none, failed] = draw([2, 0, 3], 4, 1, stream);
            assert_eq!((passed + failed, none), (4, 0));
            assert!((1..=2).contains(&passed), "{passed}");
        }
    }

    #[test]
    fn what_is_drawn_is_hypergeometric() {
        // Two of three marked among two of five: 3·2·1/10, and 3/10 of them both marked.
        let mut seen = [0.0f64; 3];
        for stream in 0..20_000 {
            seen[draw([3, 2], 2, 7, stream)[0] as usize] += 1.0 / 20_000.0;
        }
        for (seen, expected) in seen.into_iter().zip([0.1, 0.6, 0.3]) {
            assert!((seen - expected).abs() < 0.015, "{seen}, not {expected}");
        }
    }
}
