//! The precision of an engine's products: `f32`, unless a piece of work that runs just now has asked for another.

use crate::tensor::{Precision, Refused};
use std::cell::Cell;

/// The least compute capability, major and minor as two digits, whose tensor cores take TF32.
const LEAST: i32 = 80;

/// What NVIDIA's libraries read: where it is 0 they never use TF32, whatever was asked for.
const OVERRIDE: &str = "NVIDIA_TF32_OVERRIDE";

/// What holds while a piece of work runs. It comes back when the work ends, by an error or a panic too.
#[derive(Debug, Default)]
pub(super) struct Scope(Cell<Precision>);

impl Scope {
    pub(super) fn get(&self) -> Precision {
        self.0.get()
    }

    pub(super) fn during<R>(&self, precision: Precision, work: impl FnOnce() -> R) -> R {
        struct Back<'s>(&'s Cell<Precision>, Precision);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                self.0.set(self.1);
            }
        }
        let _back = Back(&self.0, self.0.replace(precision));
        work()
    }
}

/// Why a card of this compute capability has no TF32 in this process, if so.
pub(super) fn refusal(capability: i32) -> Option<Refused> {
    if capability < LEAST {
        let own = format!("{}.{}", capability / 10, capability % 10);
        return Some(Refused::new(format_args!("on a card of compute capability {own}")));
    }
    let value = std::env::var(OVERRIDE).ok().filter(|value| value == "0")?;
    Some(Refused::new(format_args!("with {OVERRIDE}={value}")))
}

/// Why products in `f32` may be others in this process, if so: what the variable does unless it is 0 is NVIDIA's to say.
pub(crate) fn overridden() -> Option<String> {
    let value = std::env::var_os(OVERRIDE).filter(|value| value != "0")?;
    Some(format!("{OVERRIDE} unset or 0, not \"{}\": it may make products of f32 others", value.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn what_was_before_comes_back() {
        let scope = Scope::default();
        let inner = scope.during(Precision::Tf32, || scope.during(Precision::F32, || scope.get()));
        assert_eq!((inner, scope.get()), (Precision::F32, Precision::F32));
        let failed: Result<(), ()> = scope.during(Precision::Tf32, || Err(()));
        assert!(failed.is_err() && scope.get() == Precision::F32);
        let within = || assert_eq!(scope.get(), Precision::Tf32, "a panic that this test wants");
        let work = || scope.during(Precision::Tf32, || scope.during(Precision::F32, within));
        assert!(catch_unwind(AssertUnwindSafe(work)).is_err());
        assert_eq!(scope.get(), Precision::F32);
    }

    #[test]
    fn old_cards_are_refused_by_what_they_are() {
        let refused = refusal(75).unwrap();
        assert_eq!(refused.found(), "tf32 on a card of compute capability 7.5");
    }
}
