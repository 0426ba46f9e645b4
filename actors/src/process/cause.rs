//! Why a child did not start, in words that lead out.

use crate::ports::ChildPlan;
use std::io::{Error, ErrorKind};

/// The system's error with the command's name and the way out; the kind stays.
pub(super) fn explain(plan: &ChildPlan, error: &Error) -> Error {
    let program = &plan.program;
    let text = match error.kind() {
        ErrorKind::NotFound => not_found(plan),
        ErrorKind::NotADirectory => match &plan.cwd {
            Some(cwd) if !cwd.is_dir() => {
                format!("working directory {cwd:?} is no directory; change \"cwd\"")
            }
            _ => format!("command {program:?}: a part of its path is no directory; change \"command\""),
        },
        ErrorKind::PermissionDenied => {
            format!("command {program:?} may not be run; make it executable or change \"command\"")
        }
        ErrorKind::InvalidInput => {
            format!(
                "command {program:?} cannot take its arguments or environment ({error}); change \"args\" or \"env\""
            )
        }
        ErrorKind::ArgumentListTooLong => {
            format!(
                "command {program:?}: arguments and environment are too long; shorten \"args\" or \"env\""
            )
        }
        ErrorKind::ExecutableFileBusy => {
            format!("command {program:?} is being written to; try again when its update is done")
        }
        _ => other(plan, error),
    };
    Error::new(error.kind(), text)
}

/// The system says "not found" of three things; only one of them is the command.
fn not_found(plan: &ChildPlan) -> String {
    let program = &plan.program;
    match &plan.cwd {
        Some(cwd) if !cwd.exists() => {
            format!("working directory {cwd:?} does not exist; create it or change \"cwd\"")
        }
        _ if program.exists() => format!(
            "command {program:?}: the interpreter that its first line names is not installed; install it or name it as \"command\""
        ),
        _ => format!("command {program:?} not found; install it or set \"command\" to an absolute path"),
    }
}

fn other(plan: &ChildPlan, error: &Error) -> String {
    let program = &plan.program;
    #[cfg(unix)]
    match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::NOEXEC) => {
            return format!(
                "command {program:?} is no program for this system; a script needs a first line like \"#!/bin/sh\""
            );
        }
        Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE) => {
            return format!("command {program:?}: too many open files; raise the limit (ulimit -n)");
        }
        Some(rustix::io::Errno::AGAIN) => {
            return format!("command {program:?}: too many processes; raise the limit (ulimit -u)");
        }
        _ => {}
    }
    format!("command {program:?} could not be started: {error}")
}
