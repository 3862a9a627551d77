//! What people do at the website, done over its real HTTP interface with curl (docs/protocol/http.md).

use crate::process;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A person's browser: keeps cookies of its own, says where its requests come from.
pub struct Browser {
    origin: String,
    cookies: PathBuf,
}

/// A session as the technician sees it when it is made.
pub struct NewSession {
    pub id: String,
    pub pin: String,
}

enum Body<'a> {
    Nothing,
    Json(Value),
    Form(&'a [(&'a str, &'a str)]),
}

impl Browser {
    /// A browser at the site of `origin` that keeps its cookies in the file `cookies`.
    pub fn open(origin: &str, cookies: PathBuf) -> Self {
        Self { origin: origin.trim_end_matches('/').to_owned(), cookies }
    }

    /// Signs in with id and password.
    pub fn sign_in(&self, id: &str, password: &str) -> Result<()> {
        self.call("POST", "/sign-in", Body::Json(json!({"id": id, "password": password}))).map(|_| ())
    }

    /// Makes a session.
    pub fn new_session(&self) -> Result<NewSession> {
        let made = self.call("POST", "/sessions", Body::Json(json!({})))?;
        Ok(NewSession { id: text(&made["session"]["id"])?, pin: text(&made["pin"])? })
    }

    /// The state of a session that the technician may see.
    pub fn session_state(&self, id: &str) -> Result<String> {
        text(&self.call("GET", &format!("/sessions/{id}"), Body::Nothing)?["session"]["state"])
    }

    /// Joins by PIN under `name` and saves the applet as the executable file `to`.
    pub fn join_and_download(&self, pin: &str, name: &str, to: &Path) -> Result<()> {
        let ticket = self.call("POST", "/join/pin", Body::Json(json!({"pin": pin, "name": name})))?;
        let token = text(&ticket["join_token"])?;
        let form = [("join_token", token.as_str()), ("platform", "linux-x86_64")];
        let answer = self.send("POST", "/join/download", &Body::Form(&form), Some(to))?;
        if answer.status != 200 {
            bail!("the download of the applet was refused with status {}", answer.status);
        }
        std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o700))
            .with_context(|| format!("cannot make {} executable", to.display()))
    }

    fn call(&self, method: &str, path: &str, body: Body<'_>) -> Result<Value> {
        let answer = self.send(method, path, &body, None)?;
        let value: Value = match answer.body.as_str() {
            "" => Value::Null,
            body => serde_json::from_str(body)
                .with_context(|| format!("{method} {path} answered {} with no JSON", answer.status))?,
        };
        if !(200..300).contains(&answer.status) {
            bail!("{method} {path} answered {}: {}", answer.status, value["error"]["message"]);
        }
        Ok(value)
    }

    /// The body goes through curl's standard input: what is secret in it never shows in the list of processes.
    fn send(&self, method: &str, path: &str, body: &Body<'_>, to: Option<&Path>) -> Result<Answer> {
        let mut curl = process::command("curl");
        curl.args(["--silent", "--show-error", "--insecure", "--max-time", "60", "--request", method]);
        curl.args(["--header", &format!("Origin: {}", self.origin), "--write-out", "\n%{http_code}"]);
        curl.arg("--cookie").arg(&self.cookies).arg("--cookie-jar").arg(&self.cookies);
        let input = match body {
            Body::Nothing => String::new(),
            Body::Json(value) => {
                curl.args(["--header", "Content-Type: application/json", "--data-binary", "@-"]);
                value.to_string()
            }
            Body::Form(fields) => {
                curl.args(["--data-binary", "@-"]);
                let pairs: Vec<String> =
                    fields.iter().map(|(name, value)| format!("{name}={}", form_encoded(value))).collect();
                pairs.join("&")
            }
        };
        if let Some(file) = to {
            curl.arg("--output").arg(file);
        }
        curl.arg(format!("{}/api/v1{path}", self.origin));
        curl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = curl.spawn().context("cannot start curl")?;
        running.stdin.take().context("curl has no standard input")?.write_all(input.as_bytes())?;
        let output = running.wait_with_output()?;
        if !output.status.success() {
            bail!("{method} {path}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let text = String::from_utf8(output.stdout)
            .context("the website answered with something that is not text")?;
        let (body, status) = text.rsplit_once('\n').context("curl told no status")?;
        Ok(Answer { status: status.parse().context("curl told no status")?, body: body.to_owned() })
    }
}

struct Answer {
    status: u16,
    body: String,
}

fn text(value: &Value) -> Result<String> {
    value
        .as_str()
        .map(str::to_owned)
        .context("the website's answer lacks a field; is the server of another version?")
}

fn form_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_encoded_byte_by_byte() {
        assert_eq!(form_encoded("a-b_9 ü+="), "a-b_9%20%C3%BC%2B%3D");
    }
}
