//! Several questions at once.

/// P-values that may be held against one level although several questions were asked, in the
/// order given.
///
/// With them the chance of any false alarm, whichever and however many of the `p` belong to
/// something that did not change, is at most that level; the questions may depend on each
/// other.
/// Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian
/// Journal of Statistics 6 (1979), 65–70.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut adjusted = vec![0.0; p.len()];
    let mut floor: f64 = 0.0;
    for (step, i) in ascending(p).into_iter().enumerate() {
        floor = floor.max((p.len() - step) as f64 * p[i]).min(1.0);
        adjusted[i] = floor;
    }
    adjusted
}

/// The level at which the bound of each question is taken, in the order given.
///
/// The question with the `i`-th smallest of `m` p-values is asked at `alpha / (m - i + 1)`,
/// as long as those before it were answered with yes; once one was not, it and all after it
/// keep its level. So a bound excludes 0 exactly where [`holm`] is at most `alpha`, if the
/// bound at a level excludes 0 exactly where `p` is at most that level.
/// Source: as of [`holm`]; for the bounds of what was not rejected, K. Strassburger and
/// F. Bretz, "Compatible simultaneous lower confidence bounds for the Holm procedure and
/// other Bonferroni-based closed tests", Statistics in Medicine 27 (2008), 4914–4927.
pub fn holm_levels(p: &[f64], alpha: f64) -> Vec<f64> {
    let mut levels = vec![0.0; p.len()];
    let mut rejected = 0;
    for (step, i) in ascending(p).into_iter().enumerate() {
        levels[i] = alpha / (p.len() - rejected) as f64;
        if rejected == step && p[i] <= levels[i] {
            rejected += 1;
        }
    }
    levels
}

fn ascending(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&i, &j| p[i].total_cmp(&p[j]));
    order
}
