//! Whether a condition holds. What programs read in two ways is neither yes nor no.

/// In rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Truth {
    /// It does not hold.
    No,
    /// It holds in one reading and not in another. A rule can only tighten, so for a rule this counts as held,
    /// inside a `not` as well.
    Unsure,
    /// It holds.
    Yes,
}

impl Truth {
    /// The opposite; what is unsure stays so.
    pub(super) fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Unsure => Self::Unsure,
            Self::Yes => Self::No,
        }
    }

    /// Whether a rule takes it as held.
    pub(super) fn holds(self) -> bool {
        self != Self::No
    }

    /// Whether all hold: the least of them.
    pub(super) fn all(truths: impl Iterator<Item = Self>) -> Self {
        let mut least = Self::Yes;
        for truth in truths {
            least = least.min(truth);
            if least == Self::No {
                break;
            }
        }
        least
    }

    /// Whether any holds: the greatest of them.
    pub(super) fn any(truths: impl Iterator<Item = Self>) -> Self {
        let mut greatest = Self::No;
        for truth in truths {
            greatest = greatest.max(truth);
            if greatest == Self::Yes {
                break;
            }
        }
        greatest
    }

    /// What several readings of the same thing say together: what they agree on.
    pub(super) fn agreed(readings: impl Iterator<Item = bool>) -> Self {
        let (mut yes, mut no) = (false, false);
        for holds in readings {
            yes |= holds;
            no |= !holds;
        }
        match (yes, no) {
            (true, false) => Self::Yes,
            (true, true) => Self::Unsure,
            (false, _) => Self::No,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

#[cfg(test)]
mod tests {
    use super::Truth::{self, No, Unsure, Yes};

    #[test]
    fn the_unsure_stays_unsure_when_negated() {
        assert_eq!([No, Unsure, Yes].map(Truth::not), [Yes, Unsure, No]);
        assert!(Unsure.not().holds() && Unsure.holds() && !No.holds());
    }

    #[test]
    fn all_is_the_least_and_any_the_greatest() {
        assert_eq!(Truth::all([Yes, Unsure].into_iter()), Unsure);
        assert_eq!(Truth::any([No, Unsure].into_iter()), Unsure);
        assert_eq!((Truth::all([].into_iter()), Truth::any([].into_iter())), (Yes, No));
    }

    #[test]
    fn readings_that_disagree_are_unsure() {
        assert_eq!(Truth::agreed([true, true].into_iter()), Yes);
        assert_eq!(Truth::agreed([true, false].into_iter()), Unsure);
        assert_eq!(Truth::agreed([false].into_iter()), No);
    }
}
