//! Whether guidance helps a campaign: guided and unguided ones in turns, with as many cases each.

use super::median;
use crate::{
    error::{Context as _, Error, Result},
    fuzz::{Campaign, Options, coverage::Coverage, state::State},
    run::Rig,
};

/// Most rounds: the exact test counts all ways to give signs to the differences.
pub const ROUNDS_MAX: u64 = 20;

/// What stands above the rows.
pub const HEADING: &str = "seed   unguided: blocks functions      s  died   guided: blocks functions      s  died   \
                           blocks in the shorter time";

/// One seed's two campaigns.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Without guidance.
    pub unguided: Side,
    /// With it.
    pub guided: Side,
    seed: u64,
}

/// What a campaign gave.
#[derive(Debug, Clone, Copy)]
pub struct Side {
    blocks: u64,
    functions: usize,
    seconds: f64,
    died: u64,
    /// Blocks when the shorter of both campaigns was over.
    in_time: u64,
}

/// Runs both campaigns of a seed; the one that is first changes from seed to seed, so that whatever else the machine does
/// meets both alike.
///
/// # Errors
/// As [`Campaign::prepare`] and [`Campaign::cases`].
pub fn pair(rig: &Rig, options: &Options) -> Result<Pair> {
    let guided_first = options.seed.is_multiple_of(2);
    let first = campaign(rig, options, guided_first)?;
    let second = campaign(rig, options, !guided_first)?;
    let (unguided, guided) = if guided_first { (second, first) } else { (first, second) };
    let time = unguided.time.min(guided.time).as_secs_f64();
    Ok(Pair { unguided: Side::of(&unguided, time)?, guided: Side::of(&guided, time)?, seed: options.seed })
}

fn campaign(rig: &Rig, options: &Options, guided: bool) -> Result<State> {
    let place = tempfile::tempdir().context(|| "cannot make a folder for a campaign")?;
    let options = Options { guided, place: place.path().to_owned(), ..options.clone() };
    Campaign::prepare(rig, options)?.cases(|_| ())
}

impl Side {
    fn of(state: &State, seconds: f64) -> Result<Self> {
        let Some(coverage) = &state.coverage else {
            return Err(Error::usage(format!("kernel {} does not tell what a case reaches", state.kernel)));
        };
        Ok(Self {
            blocks: coverage.blocks.len() as u64,
            functions: coverage.functions.len(),
            seconds: state.time.as_secs_f64(),
            died: state.tally.crashes().values().sum(),
            in_time: blocks_after(coverage, seconds),
        })
    }
}

fn blocks_after(coverage: &Coverage, seconds: f64) -> u64 {
    let points = coverage.growth.iter().take_while(|point| point.seconds <= seconds);
    points.last().map_or(0, |point| point.blocks)
}

/// A seed's row.
pub fn row(Pair { unguided, guided, seed }: &Pair) -> String {
    let columns = |side: &Side| format!("{:6} {:9} {:6.1} {:5}", side.blocks, side.functions, side.seconds, side.died);
    format!(
        "{seed:4}             {}         {}   {:8} {:8}",
        columns(unguided),
        columns(guided),
        unguided.in_time,
        guided.in_time
    )
}

/// The last lines: medians, and how likely such differences are where guidance makes none.
pub fn summary(pairs: &[Pair]) -> String {
    let line = |what: &str, number: fn(&Side) -> f64| {
        let unguided: Vec<f64> = pairs.iter().map(|pair| number(&pair.unguided)).collect();
        let guided: Vec<f64> = pairs.iter().map(|pair| number(&pair.guided)).collect();
        let differences: Vec<f64> = guided.iter().zip(&unguided).map(|(guided, unguided)| guided - unguided).collect();
        let p = signed_rank(&differences);
        format!("{what}: median {} unguided, {} guided, p = {p:.4}", median(&unguided), median(&guided))
    };
    [
        line("blocks after as many cases", |side| side.blocks as f64),
        line("functions after as many cases", |side| side.functions as f64),
        line("blocks after as long a time", |side| side.in_time as f64),
    ]
    .join("\n")
}

/// Wilcoxon's signed-rank test, two-sided and exact: the part of all ways to give signs to the differences that are as far
/// from balanced as these. Differences of 0 are left out, equal ones share their ranks.
fn signed_rank(differences: &[f64]) -> f64 {
    let mut sizes: Vec<f64> = differences.iter().map(|it| it.abs()).filter(|it| *it > 0.0).collect();
    sizes.sort_by(f64::total_cmp);
    // Twice the rank, which is whole also where ranks are shared.
    let rank = |size: f64| {
        let below = sizes.partition_point(|other| *other < size);
        let until = sizes.partition_point(|other| *other <= size);
        (below + until + 1) as i64
    };
    let ranks: Vec<i64> = sizes.iter().map(|size| rank(*size)).collect();
    let balance = |is_positive: &dyn Fn(usize) -> bool| -> i64 {
        ranks.iter().enumerate().map(|(at, rank)| if is_positive(at) { *rank } else { -rank }).sum()
    };
    let seen: i64 =
        differences.iter().filter(|it| **it != 0.0).map(|it| it.signum() as i64 * rank(it.abs())).sum::<i64>().abs();
    let all = 1_u64 << ranks.len();
    let as_far = (0..all).filter(|signs| balance(&|at| signs >> at & 1 == 1).abs() >= seen).count();
    as_far as f64 / all as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_gives_what_tables_say() {
        // One-sided 1 of 2^n where all differences are positive, so twice that.
        assert_eq!(signed_rank(&[1.0, 2.0, 3.0, 4.0, 5.0]), 2.0 / 32.0);
        assert_eq!(signed_rank(&[3.0, -3.0]), 1.0);
        assert_eq!(signed_rank(&[0.0, 0.0]), 1.0);
        // R: wilcox.test(c(1, 2, 3, 4, -5, 6, 7, 8, 9, 10))$p.value: W = 50.
        assert!((signed_rank(&[1.0, 2.0, 3.0, 4.0, -5.0, 6.0, 7.0, 8.0, 9.0, 10.0]) - 0.019_531_25).abs() < 1e-9);
    }
}
