//! The tables, as numbered changes. Times are microseconds since the Unix epoch, ids and hashes are bytes; columns
//! named `sealed_…` are under envelope encryption.

use crate::database::Migration;

/// `system.db`: what is not one account's, and what leads to accounts.
pub(crate) const SYSTEM: &[Migration] = &[Migration {
    number: 1,
    statements: &[
        "CREATE TABLE account (
            id BLOB PRIMARY KEY, name TEXT NOT NULL, created_at BIGINT NOT NULL, file_key BLOB NOT NULL)",
        "CREATE TABLE data_key (
            account BLOB NOT NULL REFERENCES account(id), number BIGINT NOT NULL, wrapped BLOB NOT NULL,
            created_at BIGINT NOT NULL, PRIMARY KEY (account, number))",
        "CREATE TABLE credential (
            sign_in_id TEXT PRIMARY KEY, account BLOB NOT NULL REFERENCES account(id), member BLOB NOT NULL,
            password_hash TEXT NOT NULL, UNIQUE (account, member))",
        "CREATE TABLE sign_in_attempt (
            lookup BLOB PRIMARY KEY, failures BIGINT NOT NULL, locked_until BIGINT, last_at BIGINT NOT NULL)",
        "CREATE TABLE web_session (
            hash BLOB PRIMARY KEY, account BLOB NOT NULL REFERENCES account(id), member BLOB NOT NULL,
            created_at BIGINT NOT NULL, last_seen_at BIGINT NOT NULL)",
        "CREATE INDEX web_session_member ON web_session (account, member)",
        "CREATE TABLE invitation (
            link_hash BLOB PRIMARY KEY, pin_lookup BLOB UNIQUE, account BLOB NOT NULL REFERENCES account(id),
            session BLOB NOT NULL, pin_expires_at BIGINT NOT NULL, link_expires_at BIGINT NOT NULL, taken_at BIGINT)",
        "CREATE TABLE join_ticket (
            hash BLOB PRIMARY KEY, account BLOB NOT NULL REFERENCES account(id), session BLOB NOT NULL,
            expires_at BIGINT NOT NULL)",
        "CREATE TABLE session_authentication (
            hash BLOB PRIMARY KEY, account BLOB NOT NULL REFERENCES account(id), session BLOB NOT NULL,
            expires_at BIGINT NOT NULL, admitted_at BIGINT)",
        "CREATE TABLE console_ticket (
            hash BLOB PRIMARY KEY, account BLOB NOT NULL REFERENCES account(id), session BLOB NOT NULL,
            member BLOB NOT NULL, expires_at BIGINT NOT NULL)",
        "CREATE TABLE security_event (
            number INTEGER PRIMARY KEY AUTOINCREMENT, at BIGINT NOT NULL, kind TEXT NOT NULL, session BLOB, address TEXT,
            detail TEXT NOT NULL)",
        "CREATE TABLE site_key (name TEXT PRIMARY KEY, wrapped BLOB NOT NULL)",
    ],
}, Migration {
    number: 2,
    statements: &[
        "CREATE TABLE return_ticket (
            hash BLOB PRIMARY KEY, account BLOB NOT NULL REFERENCES account(id), session BLOB NOT NULL,
            role TEXT NOT NULL, member BLOB, expires_at BIGINT NOT NULL, used_at BIGINT)",
        "CREATE INDEX return_ticket_session ON return_ticket (session)",
        "CREATE TABLE role_key (
            key BLOB PRIMARY KEY, role TEXT NOT NULL, added_at BIGINT NOT NULL, revoked_at BIGINT)",
    ],
}, Migration {
    number: 3,
    statements: &[
        // NULL: whatever region the website is of.
        "ALTER TABLE account ADD COLUMN region TEXT",
    ],
}];

/// `accounts/<id>.db`: all of one account.
pub(crate) const ACCOUNT: &[Migration] = &[Migration {
    number: 1,
    statements: &[
        "CREATE TABLE owner (account BLOB PRIMARY KEY)",
        "CREATE TABLE member (
            id BLOB PRIMARY KEY, name TEXT NOT NULL, sign_in_id TEXT NOT NULL UNIQUE, role TEXT NOT NULL,
            created_at BIGINT NOT NULL)",
        "CREATE TABLE session (
            id BLOB PRIMARY KEY, phase TEXT NOT NULL, created_by BLOB NOT NULL REFERENCES member(id),
            created_at BIGINT NOT NULL, link_expires_at BIGINT NOT NULL, sealed_end_user_name BLOB,
            end_user_address TEXT, platform TEXT, technician BLOB REFERENCES member(id), waiting_at BIGINT,
            active_at BIGINT, ended_at BIGINT, ended_by TEXT, binding BLOB)",
        "CREATE INDEX session_phase ON session (phase)",
        "CREATE INDEX session_created ON session (created_at)",
        "CREATE TABLE session_event (
            session BLOB NOT NULL REFERENCES session(id), number BIGINT NOT NULL, at BIGINT NOT NULL,
            kind TEXT NOT NULL, sealed_detail BLOB NOT NULL, PRIMARY KEY (session, number))",
        "CREATE TABLE chat_line (
            session BLOB NOT NULL REFERENCES session(id), line_id BLOB NOT NULL, number BIGINT NOT NULL,
            author TEXT NOT NULL, at BIGINT NOT NULL, sealed_text BLOB NOT NULL, PRIMARY KEY (session, line_id))",
        "CREATE TABLE security_event (
            number INTEGER PRIMARY KEY AUTOINCREMENT, at BIGINT NOT NULL, kind TEXT NOT NULL, session BLOB, address TEXT,
            detail TEXT NOT NULL)",
        "CREATE INDEX security_event_at ON security_event (at)",
    ],
}, Migration {
    number: 2,
    statements: &[
        "ALTER TABLE session ADD COLUMN lost_at BIGINT",
        "ALTER TABLE session ADD COLUMN offline_micros BIGINT NOT NULL DEFAULT 0",
        // The key of the gateway that the applet is at; NULL for the one in the website's own process.
        "ALTER TABLE session ADD COLUMN applet_gateway BLOB",
    ],
}];
