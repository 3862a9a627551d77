//! What each step found, in words that somebody can act on who did not write the program.

use belay_net::check::{Check, Skip, Step, Trouble, Verdict};

use super::{Finding, State};

/// The line for one step.
pub fn of(check: &Check) -> Finding {
    let (subject, host) = (subject(check.step), &check.host);
    match &check.verdict {
        Verdict::Good => {
            let says = match check.step {
                Step::Name => {
                    let addresses: Vec<_> = check.addresses.iter().map(ToString::to_string).collect();
                    format!("{host}: the name leads to {}.", addresses.join(", "))
                }
                Step::Port => format!("{host} takes connections ({} ms).", check.took.as_millis()),
                Step::Certificate => format!("{host} proves to be the right server."),
                Step::Website => format!("{host}: the website answers."),
                Step::Gateway => format!("{host}: the gateway takes connections."),
                Step::Datagrams => format!("{host}: datagrams come through and are answered (STUN)."),
                Step::Relay => format!("{host}: the relay for datagrams answers (TURN)."),
            };
            Finding::new(subject, State::Ok, says, "")
        }
        Verdict::Skipped(Skip::Before) => {
            let says = format!("{host}: not tried, because what it needs does not work.");
            Finding::new(subject, State::Skipped, says, "")
        }
        Verdict::Skipped(Skip::Off) => {
            let says = format!(
                "{host}: nobody answers datagrams at this port; the relay for datagrams is not switched on."
            );
            Finding::new(subject, State::Skipped, says, "Sessions work without it, over the gateway.")
        }
        Verdict::Bad(trouble) => {
            Finding::new(subject, State::Problem, format!("{host}: {trouble}."), mend(check.step, trouble))
        }
    }
}

const fn subject(step: Step) -> &'static str {
    match step {
        Step::Name => "name",
        Step::Port => "port",
        Step::Certificate => "certificate",
        Step::Website => "website",
        Step::Gateway => "gateway",
        Step::Datagrams => "datagrams",
        Step::Relay => "relay",
    }
}

fn mend(step: Step, trouble: &Trouble) -> &'static str {
    match (step, trouble) {
        (Step::Name, _) => {
            "Nobody finds the server. At the company where you registered the domain, add an address (A or AAAA record) for this name, or correct public_url; a new entry can take an hour to be seen everywhere."
        }
        (Step::Port, Trouble::Refused) => {
            "The computer is there, but no program listens. Start the server (belay serve), or correct the port in listen and public_url, or the forwarding in your router."
        }
        (Step::Port, Trouble::Silent) => {
            "A firewall or router in between most likely drops the connection. Open this TCP port in the firewall of the server and of its hosting company, and forward it in your router."
        }
        (Step::Port, _) => "Look at the network of this computer and of the server.",
        (_, Trouble::Expired) => {
            "Nobody can connect any more. Renew the certificate and put it where tls.certificate points; the server takes it within seconds. If it should still be good, look at the clock of this computer."
        }
        (_, Trouble::NotYet) => {
            "Most likely a clock is wrong: look at date and time of this computer and of the server."
        }
        (_, Trouble::OtherName) => {
            "Browsers and applets refuse it. Get a certificate for the name in public_url, or correct public_url to the name in the certificate."
        }
        (_, Trouble::Untrusted) => {
            "Browsers and applets refuse it. Give the whole chain in tls.certificate (not the server's certificate alone); if the authority is your own, name it in tls.anchor. If another program answers at this port, stop that one."
        }
        (Step::Certificate, _) => {
            "Something else than Belay may answer at this port, or a device in between breaks the encryption open. Look which program listens there."
        }
        (Step::Website, Trouble::Silent) => {
            "It listens but does not answer. Look at the server's log, and start it again."
        }
        (Step::Website, _) => {
            "Something answers that is no website of Belay, or one that does not know this name. Correct public_url, or what a proxy in front of it passes on (the Host header must stay as it is)."
        }
        (Step::Gateway, Trouble::Silent) => {
            "It listens but does not answer. Look at the gateway's log, and start it again."
        }
        (Step::Gateway, _) => {
            "A proxy in front of the server does not let WebSockets through, or another program answers. Allow the upgrade to WebSocket for /gateway/v1 in the proxy, without a time limit."
        }
        (Step::Datagrams, Trouble::Silent) => {
            "A firewall or router drops UDP. Open this port for UDP too, and forward it. Until then sessions run over the gateway only, which is slower; they do work."
        }
        (Step::Datagrams, _) => "Look at the network of this computer; it cannot send datagrams there.",
        (Step::Relay, _) => {
            "Datagrams come through, but the relay does not answer. Look at the gateway's log, and start it again."
        }
    }
}
