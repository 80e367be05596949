//! A rate with what is known about it.

use schemars::JsonSchema;
use serde::Serialize;

/// The standard normal quantile of a two-sided interval of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// So many of so many, with the interval that the true rate lies in with a confidence of 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Rate {
    /// How many.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// The lower end of the interval, from 0 to 1.
    pub low: f64,
    /// The upper end of the interval, from 0 to 1. Where nothing was tried, everything is possible.
    pub high: f64,
}

impl Rate {
    /// Wilson's score interval, which holds for small numbers and for rates of zero too: E. B.
    /// Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of
    /// the American Statistical Association 22 (1927); recommended by Brown, Cai and DasGupta,
    /// "Interval Estimation for a Binomial Proportion", Statistical Science 16 (2001).
    #[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^52")]
    pub fn new(count: u64, of: u64) -> Self {
        if of == 0 {
            return Self { count, of, low: 0.0, high: 1.0 };
        }
        let (n, p) = (of as f64, count as f64 / of as f64);
        let scale = 1.0 + Z * Z / n;
        let center = (p + Z * Z / (2.0 * n)) / scale;
        let half = Z / scale * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let low = if count == 0 { 0.0 } else { (center - half).max(0.0) };
        let high = if count == of { 1.0 } else { (center + half).min(1.0) };
        Self { count, of, low, high }
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { count, of, low, high } = self;
        write!(f, "{count} of {of} (95 %: {:.1} to {:.1} %)", low * 100.0, high * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// From R: `binom::binom.wilson(count, of)`.
    #[rstest]
    #[case(0, 25, 0.0, 0.1332)]
    #[case(0, 300, 0.0, 0.01264)]
    #[case(1, 10, 0.01788, 0.4041)]
    #[case(5, 10, 0.2366, 0.7634)]
    #[case(10, 10, 0.7225, 1.0)]
    #[case(0, 0, 0.0, 1.0)]
    fn an_interval(#[case] count: u64, #[case] of: u64, #[case] low: f64, #[case] high: f64) {
        let rate = Rate::new(count, of);
        assert!((rate.low - low).abs() < 5e-4 && (rate.high - high).abs() < 5e-4, "{rate:?}");
    }
}
