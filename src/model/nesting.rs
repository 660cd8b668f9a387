//! Tells what one future acquired while it held a lock from what a sibling
//! branch of the same task acquired meanwhile.

use super::{Frame, Owner, Stack};

/// How an acquisition relates to a lock that its task held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nesting {
    /// The same future held the one and acquired the other.
    Nested,
    /// Two branches of a `join!`, a `select!` or the like: no order.
    Separate,
    /// Two instances of one future look alike: either may be true.
    Ambiguous,
}

/// Compares two stacks of one task from the outermost frame inward: branches of
/// a combinator part at the combinator, or right below it.
///
/// The stacks may have been taken in different polls, by different workers:
/// what lies outside the task's own poll is left out.
pub fn nested(held: &Stack, acquired: &Stack) -> Nesting {
    if held.frames.is_empty() || acquired.frames.is_empty() {
        return Nesting::Ambiguous;
    }
    let (held, acquired) = (within_task(held), within_task(acquired));
    let common = common(&held, &acquired);
    let shared = &held[..common];
    if let (Some(one), Some(other)) = (held.get(common), acquired.get(common)) {
        let same_function = one.function == other.function;
        // A combinator calls its branches from addresses of its own, each.
        let at_combinator = same_function && combinator(one).is_some();
        // Where it calls them through one address, they part right below. One
        // function at two lines is one branch before and after an await.
        let below = under_combinator(shared)
            && (!same_function || (is_adaptor(one) && !is_inlined_function(one)));
        if at_combinator || below {
            return Nesting::Separate;
        }
    }
    let hides_branches = shared.iter().any(|frame| match combinator(frame) {
        Some(Kind::Dynamic) => true,
        Some(Kind::Static) => frame.address.is_none(),
        None => false,
    });
    if hides_branches { Nesting::Ambiguous } else { Nesting::Nested }
}

/// Whether a lock that a task holds is in a future that the task has left without
/// finishing it, now that it waits elsewhere: polled by something that can be left
/// (a `select!`, a `timeout`, a stream of futures), in which the task is not any more.
///
/// What that polled directly, without a function of anybody's between, gave its guard
/// away when it was left.
pub fn is_paused(held: &Stack, waiting: &Stack) -> bool {
    if nested(held, waiting) == Nesting::Separate {
        return true;
    }
    let (held, outside) = (within_task(held), within_task(waiting));
    let common = common(&held, &outside);
    let Some(left) = held[common..].iter().position(|frame| can_be_left(frame)) else {
        return false;
    };
    let is_left_by_both = outside[common..].iter().any(|frame| can_be_left(frame));
    !is_left_by_both
        && held[common + left..]
            .iter()
            .any(|frame| is_anybodys(frame) && !is_adaptor(frame) && !can_be_left(frame))
}

/// Whether the future that took a lock was still there when its task began to wait right
/// after that: it is the one that waited. Else it was over, and had given its guard away.
pub fn outlived_its_acquisition(held: &Stack, first_await: &Stack, waiting: &Stack) -> bool {
    let held = within_task(held);
    let (first, waiting) = (within_task(first_await), within_task(waiting));
    first.is_empty() || common(&held, &first) > common(&held, &waiting)
}

/// Where a task polled the future that took the one stack, and where it is now that
/// it waits with the other one: the last function of the workspace that both are in,
/// then and now.
pub fn last_polled_at<'a>(held: &'a Stack, waiting: &'a Stack) -> Option<(&'a Frame, &'a Frame)> {
    let (held, waiting) = (within_task(held), within_task(waiting));
    let common = common(&held, &waiting);
    let parted = held.get(common).zip(waiting.get(common));
    let is_same = parted.is_some_and(|(one, other)| one.function == other.function);
    let shared = ..common + usize::from(is_same);
    held[shared]
        .iter()
        .zip(&waiting[shared])
        .rev()
        .find(|(then, _)| matches!(then.owner, Owner::Workspace(_)) && then.line > 0)
        .map(|(then, now)| (then.frame, now.frame))
}

/// A frame of a stack, and the address of the call in it.
#[derive(Debug, Clone, Copy)]
struct Call<'a> {
    frame: &'a Frame,
    /// `None` where it is not known: what is called was inlined, so that the address is
    /// one within that.
    address: Option<u64>,
}

impl std::ops::Deref for Call<'_> {
    type Target = Frame;

    fn deref(&self) -> &Frame {
        self.frame
    }
}

fn common(one: &[Call<'_>], other: &[Call<'_>]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one.is_same(other)).count()
}

/// Polls a future, and may return while that is pending.
fn can_be_left(frame: &Frame) -> bool {
    const PARTS: &[&str] = &[
        "tokio::time::timeout::Timeout",
        "futures_util::async_await::poll",
        "futures_util::future::future::FutureExt::now_or_never",
        "::PollImmediate<",
    ];
    combinator(frame).is_some() || PARTS.iter().any(|part| frame.function.contains(part))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Each branch is polled from an address of its own.
    Static,
    /// Any number of branches is polled from one address.
    Dynamic,
}

impl Call<'_> {
    fn is_same(&self, other: &Self) -> bool {
        let place = |call: &Self| (call.frame.line, call.frame.column);
        self.function == other.function
            && self.file == other.file
            && place(self) == place(other)
            && self.address == other.address
    }
}

/// Whether a combinator polls what follows the shared frames inward, with
/// nothing but adaptors between.
fn under_combinator(shared: &[Call<'_>]) -> bool {
    shared
        .iter()
        .rev()
        .find(|frame| combinator(frame).is_some() || !is_adaptor(frame))
        .is_some_and(|frame| combinator(frame).is_some())
}

fn combinator(frame: &Frame) -> Option<Kind> {
    const DYNAMIC: &[&str] = &[
        "FuturesUnordered",
        "FuturesOrdered",
        "::JoinAll<",
        "::TryJoinAll<",
        "::SelectAll<",
        "::SelectOk<",
        "Buffered<",
        "BufferUnordered<",
        "::ForEachConcurrent<",
        "::TryForEachConcurrent<",
        "::FlattenUnordered",
        "futures_buffered::",
        "futures_concurrency::",
        "tokio_stream::stream_map::",
    ];
    const STATIC: &[&str] = &[
        "futures_util::future::join::",
        "futures_util::future::try_join::",
        "futures_util::future::select::",
        "futures_util::future::try_select::",
        "futures_util::stream::select",
        "::MaybeDone<",
        "::TryMaybeDone<",
        "futures_lite::future::Or<",
        "futures_lite::future::Race<",
        "futures_lite::future::Zip<",
    ];
    const MACRO_FILES: &[&str] = &[
        "/macros/join.rs",
        "/macros/try_join.rs",
        "/macros/select.rs",
        "/async_await/join_mod.rs",
        "/async_await/select_mod.rs",
    ];
    let name = &frame.function;
    if DYNAMIC.iter().any(|part| name.contains(part)) {
        Some(Kind::Dynamic)
    } else if STATIC.iter().any(|part| name.contains(part))
        || frame
            .file
            .as_deref()
            .is_some_and(|file| MACRO_FILES.iter().any(|end| file.as_str().ends_with(end)))
    {
        Some(Kind::Static)
    } else {
        None
    }
}

/// Polls the one future that it wraps.
fn is_adaptor(frame: &Frame) -> bool {
    frame.inlined || is_adaptor_by_name(frame)
}

fn is_adaptor_by_name(frame: &Frame) -> bool {
    const PARTS: &[&str] = &[
        "core::pin::Pin<",
        "core::future::poll_fn::",
        "core::ops::function::",
        "core::iter::",
        "core::option::",
        "futures_core::future::",
        "futures_util::",
        "futures_task::",
        "alloc::boxed::",
    ];
    PARTS.iter().any(|part| frame.function.contains(part))
        || frame.function.starts_with("<F as futures_core::")
}

/// A function of the project's or of a dependency's that the optimiser put into its
/// caller, and no adaptor by what it does.
fn is_inlined_function(frame: &Frame) -> bool {
    frame.inlined && !is_adaptor_by_name(frame) && is_anybodys(frame)
}

fn is_anybodys(frame: &Frame) -> bool {
    matches!(frame.owner, Owner::Workspace(_) | Owner::Dependency(_))
}

/// Outermost first, from the innermost poll of the task itself.
fn within_task(stack: &Stack) -> Vec<Call<'_>> {
    let boundary = stack
        .frames
        .iter()
        .position(|frame| frame.function.contains("concaudit_tracing::instrument::Instrumented"))
        .or_else(|| {
            stack.frames.iter().position(|frame| {
                frame.function.trim_start_matches('<').starts_with("tokio::runtime::task::core::")
            })
        })
        .unwrap_or(stack.frames.len());
    // The probe's own frames at the inner end are no part of either story.
    let frames = &stack.frames[..boundary];
    let call = |at: usize| {
        let frame = &frames[at];
        let inner = at.checked_sub(1).map(|at| &frames[at]);
        let is_own = inner.is_none_or(|inner| !inner.inlined || inner.address != frame.address);
        Call { frame, address: Some(frame.address).filter(|address| is_own && *address != 0) }
    };
    (0..frames.len()).rev().map(call).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FrameData, Owner};

    fn stack(frames: &[(&str, &str, u64)]) -> Stack {
        let frame = |(function, file, address): &(&str, &str, u64)| {
            Frame::from(FrameData {
                function: (*function).to_owned(),
                file: Some((*file).into()),
                line: 1,
                column: 0,
                owner: Owner::Unknown,
                item: None,
                inlined: false,
                address: *address,
            })
        };
        Stack { frames: frames.iter().map(frame).collect() }
    }

    const LOCK: (&str, &str, u64) = ("exp::lock_it::{{closure}}", "/p/main.rs", 1);
    const OTHER: (&str, &str, u64) = ("exp::lock_it::{{closure}}", "/p/main.rs", 2);
    const BODY: (&str, &str, u64) = ("exp::all::{{closure}}", "/p/main.rs", 9);

    fn branch(address: u64) -> (&'static str, &'static str, u64) {
        ("exp::all::{{closure}}::{{closure}}", "/t/tokio-1.54.1/src/macros/join.rs", address)
    }

    /// As an optimised build has it: the combinator and its branch within one function.
    fn inlined(branch: &str, address: u64) -> Stack {
        let frame = |function: &str, file: &str, inlined: bool| {
            Frame::from(FrameData {
                function: function.to_owned(),
                file: Some(file.into()),
                line: 1,
                column: 2,
                owner: Owner::Workspace("exp".to_owned()),
                item: None,
                inlined,
                address,
            })
        };
        Stack {
            frames: vec![
                frame(branch, "/p/main.rs", true),
                frame("tokio::macros::join::{{closure}}", "/t/src/macros/join.rs", true),
                frame("<core::future::poll_fn::PollFn<F>>::poll", "/c/poll_fn.rs", false),
            ],
        }
    }

    #[test]
    fn branches_that_were_inlined_are_told_by_their_functions_or_not_at_all() {
        let (hold, take) =
            (inlined("exp::hold::{{closure}}", 3), inlined("exp::take::{{closure}}", 4));
        assert_eq!(nested(&hold, &take), Nesting::Separate);
        assert_eq!(nested(&hold, &inlined("exp::hold::{{closure}}", 5)), Nesting::Ambiguous);
    }

    const UNORDERED: (&str, &str, u64) = (
        "<futures_util::stream::futures_unordered::FuturesUnordered<Fut> as futures_core::stream::Stream>::poll_next",
        "/f/mod.rs",
        5,
    );

    #[test]
    fn one_future_nests() {
        assert_eq!(nested(&stack(&[LOCK, BODY]), &stack(&[OTHER, BODY])), Nesting::Nested);
    }

    #[test]
    fn branches_of_a_join_are_separate_and_one_branch_nests() {
        let held = stack(&[LOCK, branch(3), BODY]);
        assert_eq!(nested(&held, &stack(&[OTHER, branch(4), BODY])), Nesting::Separate);
        assert_eq!(nested(&held, &stack(&[OTHER, branch(3), BODY])), Nesting::Nested);
    }

    #[test]
    fn futures_of_one_type_in_a_set_are_ambiguous() {
        let held = stack(&[LOCK, UNORDERED, BODY]);
        assert_eq!(nested(&held, &stack(&[OTHER, UNORDERED, BODY])), Nesting::Ambiguous);
    }
}
