//! Panics: one inside a request becomes an error of that request, any other is told to Terraform as a crash.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::io::Write;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

use futures::FutureExt;

use super::{Diagnostic, Diagnostics};

tokio::task_local! {
    /// Set while a request is worked on.
    static IN_REQUEST: ();
}

thread_local! {
    /// Where the last panic inside a request was.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Installs the hook. Terraform looks for a line on stderr that begins with `panic: `, and then says that the plugin
/// crashed and shows that line and those that follow.
pub(super) fn install() {
    std::panic::set_hook(Box::new(|info| {
        let text = describe(info);
        if IN_REQUEST.try_with(|()| ()).is_ok() {
            tracing::error!("panic in a request: {text}");
            PLACE.with_borrow_mut(|place| *place = Some(text));
        } else {
            let trace = std::backtrace::Backtrace::capture();
            let _ = writeln!(std::io::stderr(), "panic: {text}\n\n{trace}");
        }
    }));
}

/// The place, and the message if it is a literal: one that was put together may hold anything, secrets too.
fn describe(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    match info.payload().downcast_ref::<&'static str>() {
        Some(literal) => format!("{literal} ({place})"),
        None => format!("at {place}"),
    }
}

/// Runs a request, or a part of one.
pub(super) async fn guard<T>(request: impl Future<Output = T>) -> Result<T, Diagnostics> {
    IN_REQUEST.scope((), AssertUnwindSafe(request).catch_unwind()).await.map_err(diagnose)
}

/// As [`guard`], for what does not wait. Must be called within a request.
pub(super) fn guard_sync<T>(part: impl FnOnce() -> T) -> Result<T, Diagnostics> {
    catch_unwind(AssertUnwindSafe(part)).map_err(diagnose)
}

/// The hook knows where it was, and what may be said of it; without it, only a literal message may.
fn diagnose(payload: Box<dyn Any + Send>) -> Diagnostics {
    let literal = payload.downcast_ref::<&'static str>().copied();
    let text = PLACE.with_borrow_mut(Option::take).or(literal.map(str::to_owned));
    let text = text.unwrap_or_else(|| "at an unknown place".to_owned());
    let detail = format!("It stopped this one operation: {text}. Everything else goes on. Please report it.");
    Diagnostic::error("The provider has a bug", detail).into()
}
