//! Functions of a library that are called around a switch.

/// Defines what is called before a switch to this generation, while `from` still runs; 0 is the host's own code.
///
/// ```
/// hotpatch_mark::before_switch!(|from, to| {
///     println!("{from} -> {to}");
/// });
/// ```
///
/// At most once in a library. Runs on a separate thread with a time limit: docs/marks.md of hotpatch, "Hooks". A panic
/// ends the hook and is reported by the panic hook; the switch continues.
#[macro_export]
macro_rules! before_switch {
    (|$from:ident, $to:ident| $body:block) => {
        $crate::__hook!(hotpatch_before_switch, $from, $to, $body);
    };
}

/// Defines what is called after a switch to this generation, once it runs. The same rules as [`before_switch!`].
#[macro_export]
macro_rules! after_switch {
    (|$from:ident, $to:ident| $body:block) => {
        $crate::__hook!(hotpatch_after_switch, $from, $to, $body);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __hook {
    ($name:ident, $from:ident, $to:ident, $body:block) => {
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($from: i32, $to: i32) {
            $crate::__private::hook(|| $body)
        }
    };
}
