//! Programs that know nothing of Belay: coturn's `turnutils_uclient` and `turnutils_peer` (Debian package coturn; only
//! these two tools are started).

use std::net::{IpAddr, UdpSocket};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// Runs coturn's client with this user and password until it has sent `messages`, and says what it printed.
pub async fn uclient(
    (host, port): (IpAddr, u16),
    (user, password): (&str, &str),
    messages: u32,
    more: &[&str],
) -> String {
    let mut command = Command::new("turnutils_uclient");
    command.args(["-c", "-l", "700", "-n", &messages.to_string(), "-u", user, "-w", password]);
    command.args(["-p", &port.to_string()]).args(more).arg(host.to_string());
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(90), output)
        .await
        .expect("turnutils_uclient ends")
        .expect("turnutils_uclient is there (Debian package coturn)");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// How many of a hundred messages must come back. Over TLS the client takes each record for one message (its
/// `recv_buffer` passes what one `SSL_read` gives), so that it does not see those behind the first of a record; nothing
/// is lost on the way, as `benches/relay` counts.
pub fn least(more: &[&str]) -> u64 {
    if more.contains(&"-S") { 60 } else { 98 }
}

/// Messages sent and received in all, of the client's last summary.
pub fn totals(text: &str) -> (u64, u64) {
    let number = |name: &str| {
        let at = text.rfind(name).unwrap_or_else(|| panic!("no {name} in\n{text}"));
        let digits: String = text[at + name.len()..].chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    };
    (number("tot_send_msgs="), number("tot_recv_msgs="))
}

/// A program on the loopback that sends back what it gets, and its port. It ends with the value.
pub fn echo() -> (Child, u16) {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    drop(taken);
    let child = Command::new("turnutils_peer")
        .args(["-p", &port.to_string(), "-L", "127.0.0.1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("turnutils_peer is there (Debian package coturn)");
    (child, port)
}
