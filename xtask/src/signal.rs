//! SIGINT, SIGTERM and SIGHUP become a flag that every waiting loop looks at, and process groups are ended by id.
//!
//! The only file of xtask with `unsafe`: the standard library has neither signals nor process groups' `kill`.
#![allow(unsafe_code)]

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_signal: libc::c_int) {
    INTERRUPTED.store(true, Ordering::SeqCst);
}

/// Begins to listen for the signals that ask a program to end.
pub fn listen() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: `note` only stores to an atomic, which is safe inside a signal handler.
        unsafe { libc::signal(signal, note as *const () as libc::sighandler_t) };
    }
}

/// Whether somebody has asked this program to end.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Makes `command` the leader of a process group of its own that is asked to end when this program dies, however it dies.
pub fn in_own_group(command: &mut Command) -> &mut Command {
    command.process_group(0);
    // SAFETY: between fork and exec only `prctl` is called, which is async-signal-safe and touches no memory of ours.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            Ok(())
        })
    }
}

/// How hard a process group is asked to end.
#[derive(Clone, Copy)]
pub enum Ask {
    /// SIGTERM: may tidy up.
    Kindly,
    /// SIGKILL: at once.
    Firmly,
}

/// Asks the process group that `leader` leads to end. A group that is gone already is no error.
pub fn end_group(leader: u32, ask: Ask) {
    let signal = match ask {
        Ask::Kindly => libc::SIGTERM,
        Ask::Firmly => libc::SIGKILL,
    };
    if let Ok(leader) = i32::try_from(leader)
        && leader > 1
    {
        // SAFETY: a plain system call; the group was made by `in_own_group` and its leader is not reaped yet.
        unsafe { libc::kill(-leader, signal) };
    }
}
