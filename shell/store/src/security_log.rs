//! The security log: the same table in `system.db` (events without an account) and in every account's file.

use belay_wire::{Moment, SessionId};
use sea_orm::DatabaseTransaction;

use crate::database::{all, column, run};
use crate::error::StoreError;
use crate::types::{NewSecurityEvent, SecurityEvent};

/// Most entries a list gives.
const LIST_MAX: u32 = 1000;

pub(crate) async fn append(tx: &DatabaseTransaction, event: &NewSecurityEvent) -> Result<(), StoreError> {
    let values = [
        event.at.as_micros_i64().into(),
        event.kind.word().into(),
        event.session.map(|session| session.as_bytes().to_vec()).into(),
        event.address.map(|address| address.to_string()).into(),
        event.detail.as_str().into(),
    ];
    run(
        tx,
        "INSERT INTO security_event (at, kind, session, address, detail) VALUES ($1, $2, $3, $4, $5)",
        values,
    )
    .await?;
    Ok(())
}

pub(crate) async fn list(tx: &DatabaseTransaction, limit: u32) -> Result<Vec<SecurityEvent>, StoreError> {
    let sql = "SELECT at, kind, session, address, detail FROM security_event ORDER BY number DESC LIMIT $1";
    let rows = all(tx, sql, [i64::from(limit.min(LIST_MAX)).into()]).await?;
    rows.iter()
        .map(|row| {
            let session: Option<Vec<u8>> = column(row, 2)?;
            let session = session.map(|bytes| bytes.try_into().map(SessionId::from_bytes)).transpose();
            Ok(SecurityEvent {
                at: Moment::from_micros_i64(column(row, 0)?),
                kind: column(row, 1)?,
                session: session.map_err(|_| StoreError::Damaged { what: "security_event.session" })?,
                address: column(row, 3)?,
                detail: column(row, 4)?,
            })
        })
        .collect()
}
