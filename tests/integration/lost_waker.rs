//! `lost-waker`: what can still be woken, and what never.

use crate::support::{Workspace, error, expectations, silent, without};

const RULE: &str = "lost-waker";
const LIB: &str = "lost-waker/src/lib.rs";

expectations! { Workspace::Rules, "lost-waker::wakers ";
    a_waker_that_another_task_overwrites_is_found
        => error(RULE, LIB, "overwrites").showing(&["watches"]);
    a_waker_that_is_dropped_is_found
        => error(RULE, LIB, "forgets").showing(&["overwrites", "watches"]);
    a_waker_that_is_dropped_is_found_on_many_threads
        => error(RULE, LIB, "forgets").showing(&["overwrites", "watches"]);
    a_waker_of_a_local_task_that_is_dropped_is_found => error(RULE, LIB, "forgets");
    a_waker_for_each_who_waits_is_fine => silent();
    a_waker_for_each_who_waits_is_fine_on_many_threads => silent();
    a_task_that_waits_for_nothing_on_purpose_has_lost_none => without(&[RULE]);
    a_task_that_is_woken_has_lost_none => silent();
    a_task_that_is_aborted_has_lost_none => silent();
    a_waker_that_is_still_there_is_not_lost => without(&[RULE]);
}

pub mod roots {
    use super::RULE;
    use crate::support::{Workspace, error, expectations, without};

    expectations! { Workspace::Stuck, "stuck::hangs ";
        a_root_whose_future_keeps_no_waker_runs_into_its_limit
            => error(RULE, "tests/hangs.rs", "keeps-no-waker").by("test");
        a_root_whose_waker_is_dropped_runs_into_its_limit
            => error(RULE, "src/lib.rs", "forgets");
        a_thread_that_keeps_a_runtime_going_is_not_what_runs_into_the_limit => without(&[RULE]);
    }
}
