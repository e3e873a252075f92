//! Trouble on the line, as `/_sim/faults` orders it: which calls it meets, what happens to them.
//! A fault is drawn before anything is done, so that it can say whether anything is.

use super::ids::Ids;

/// Which of Amazon's APIs a call is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    Mws,
    V2,
    Lwa,
}

/// What goes wrong. What ends in `After`, and a truncated answer, leaves the effect in the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The connection is closed without an answer.
    Refuse,
    ResetBefore,
    ResetAfter,
    /// Half of the answer, then the end of the connection.
    Truncate,
    Delay,
    Status,
    StatusAfter,
}

macro_rules! spelled {
    ($name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub(crate) const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            pub(crate) fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.text() == text)
            }
        }
    };
}

spelled!(Api { Mws = "mws", V2 = "v2", Lwa = "lwa" });
spelled!(Trouble {
    Refuse = "refuse",
    ResetBefore = "reset_before",
    ResetAfter = "reset_after",
    Truncate = "truncate",
    Delay = "delay",
    Status = "status",
    StatusAfter = "status_after",
});

/// Which calls a fault meets; what is absent meets all.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Match {
    pub(crate) api: Option<Api>,
    pub(crate) operation: Option<String>,
    pub(crate) merchant_id: Option<String>,
    /// The object itself, or the order reference that it is below.
    pub(crate) object_id: Option<String>,
}

/// A call, as far as faults look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) api: Api,
    pub(crate) operation: &'a str,
    pub(crate) merchant_id: &'a str,
    pub(crate) object_id: &'a str,
}

impl Match {
    fn meets(&self, target: &Target<'_>) -> bool {
        let is = |wanted: &Option<String>, actual: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == actual)
        };
        let below = |wanted: &String| {
            let rest = target.object_id.strip_prefix(wanted.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        // API v2 has no names on its wire, and every SDK writes them in its own way.
        let operation = |wanted: &String| wanted.eq_ignore_ascii_case(target.operation);
        self.api.is_none_or(|api| api == target.api)
            && self.operation.as_ref().is_none_or(operation)
            && is(&self.merchant_id, target.merchant_id)
            && self.object_id.as_ref().is_none_or(below)
    }
}

/// One entry of the list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    pub(crate) matches: Match,
    pub(crate) trouble: Trouble,
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    pub(crate) delay_ms: Option<u64>,
    /// How often it happens still; without it, for ever.
    pub(crate) times: Option<u64>,
    pub(crate) probability: Option<f64>,
}

impl Fault {
    fn check(&self) -> Result<(), String> {
        let status = self.status.is_none_or(|status| (200..=599).contains(&status));
        if !status {
            return Err("status: 200 to 599".to_owned());
        }
        if self.probability.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
            return Err("probability: 0 to 1".to_owned());
        }
        if self.trouble == Trouble::Delay && self.delay_ms.is_none() {
            return Err("delayMs: needed for a delay".to_owned());
        }
        Ok(())
    }
}

/// What happens to one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ruling {
    pub(crate) delay_ms: u64,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
}

impl Ruling {
    /// Whether the call is carried out at all.
    pub(crate) fn has_effect(&self) -> bool {
        match self.trouble {
            Some(Trouble::Refuse | Trouble::ResetBefore | Trouble::Status) => false,
            Some(
                Trouble::ResetAfter | Trouble::Truncate | Trouble::Delay | Trouble::StatusAfter,
            )
            | None => true,
        }
    }

    /// Whether an answer of the fault's own takes the place of Amazon's.
    pub(crate) fn answers(&self) -> bool {
        matches!(self.trouble, Some(Trouble::Status | Trouble::StatusAfter))
    }
}

/// The list in force.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    list: Vec<Fault>,
}

impl Faults {
    /// Puts `list` in the place of what there was.
    pub(crate) fn replace(&mut self, list: Vec<Fault>) -> Result<(), String> {
        for (index, fault) in list.iter().enumerate() {
            fault.check().map_err(|error| format!("fault {index}: {error}"))?;
        }
        self.list = list;
        Ok(())
    }

    pub(crate) fn list(&self) -> &[Fault] {
        &self.list
    }

    /// What happens to a call: every delay that meets it, and the first other trouble.
    pub(crate) fn rule(&mut self, target: &Target<'_>, chance: &mut Ids) -> Ruling {
        let mut ruling = Ruling::default();
        for fault in &mut self.list {
            if fault.times == Some(0) || !fault.matches.meets(target) {
                continue;
            }
            if fault.probability.is_some_and(|probability| !chance.happens(probability)) {
                continue;
            }
            if let Some(times) = &mut fault.times {
                *times -= 1;
            }
            ruling.delay_ms = ruling.delay_ms.saturating_add(fault.delay_ms.unwrap_or(0));
            if fault.trouble != Trouble::Delay {
                ruling.trouble = Some(fault.trouble);
                ruling.status = fault.status.unwrap_or(503);
                ruling.code.clone_from(&fault.code);
                break;
            }
        }
        ruling
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Target<'static> =
        Target { api: Api::Mws, operation: "Capture", merchant_id: "A1", object_id: "S01-1-2-A3" };

    fn fault(trouble: Trouble, matches: Match) -> Fault {
        let (status, code, delay_ms, times, probability) = (None, None, None, None, None);
        Fault { matches, trouble, status, code, delay_ms, times, probability }
    }

    fn rule(list: Vec<Fault>) -> Ruling {
        let mut faults = Faults::default();
        faults.replace(list).unwrap();
        faults.rule(&CALL, &mut Ids::new(1))
    }

    fn met(matches: Match) -> bool {
        rule(vec![fault(Trouble::Refuse, matches)]).trouble.is_some()
    }

    #[test]
    fn a_fault_meets_what_it_names_and_whatever_is_below_an_order() {
        let some = |text: &str| Some(text.to_owned());
        let object = |id| Match { object_id: some(id), ..Match::default() };
        assert!(met(Match::default()));
        assert!(met(object("S01-1-2")) && met(object("S01-1-2-A3")));
        assert!(!met(object("S01-1-2-A")) && !met(object("S02")));
        let seller = Match { api: Some(Api::Mws), merchant_id: some("A1"), ..Match::default() };
        assert!(met(seller.clone()));
        assert!(!met(Match { api: Some(Api::V2), ..seller }));
        assert!(!met(Match { operation: some("Authorize"), ..Match::default() }));
        let never = Fault { probability: Some(0.0), ..fault(Trouble::Refuse, Match::default()) };
        assert_eq!(rule(vec![never]).trouble, None);
    }

    #[test]
    fn it_happens_as_often_as_told_and_delays_add_up() {
        let plain = |trouble| fault(trouble, Match::default());
        let mut faults = Faults::default();
        let list = vec![
            Fault { delay_ms: Some(5), ..plain(Trouble::Delay) },
            Fault { status: Some(500), times: Some(1), ..plain(Trouble::Status) },
            Fault { delay_ms: Some(2), ..plain(Trouble::ResetAfter) },
        ];
        faults.replace(list).unwrap();
        let mut chance = Ids::new(1);
        let first = faults.rule(&CALL, &mut chance);
        assert_eq!((first.delay_ms, first.status, first.has_effect()), (5, 500, false));
        let second = faults.rule(&CALL, &mut chance);
        assert_eq!((second.delay_ms, second.trouble), (7, Some(Trouble::ResetAfter)));
        assert!(second.has_effect());
        assert_eq!(faults.list()[1].times, Some(0));
    }

    #[test]
    fn nonsense_is_refused() {
        let plain = |trouble| fault(trouble, Match::default());
        for fault in [
            Fault { status: Some(42), ..plain(Trouble::Status) },
            Fault { probability: Some(2.0), ..plain(Trouble::Refuse) },
            plain(Trouble::Delay),
        ] {
            assert!(Faults::default().replace(vec![fault]).is_err());
        }
    }
}
