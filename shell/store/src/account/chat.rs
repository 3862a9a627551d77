//! Chat lines of a session.

use belay_wire::{Moment, SessionId};
use uuid::Uuid;

use super::{AccountTx, AccountView};
use crate::bus::Notice;
use crate::database::{all, blob, column, id_column, one, run};
use crate::error::StoreError;
use crate::seal::Place;
use crate::types::{Author, ChatKept, ChatLine};

impl AccountView {
    /// A session's chat, the oldest line first.
    pub(super) async fn chat(&self, session: SessionId) -> Result<Vec<ChatLine>, StoreError> {
        let sql =
            "SELECT line_id, author, at, sealed_text FROM chat_line WHERE session = $1 ORDER BY at, number";
        let rows = all(&self.tx, sql, [blob(session.as_bytes())]).await?;
        rows.iter()
            .map(|row| {
                let line_id = Uuid::from_bytes(id_column(row, 0, "chat_line.line_id")?);
                let author: String = column(row, 1)?;
                let sealed: Vec<u8> = column(row, 3)?;
                Ok(ChatLine {
                    line_id,
                    author: Author::from_word(&author)
                        .ok_or(StoreError::Damaged { what: "chat_line.author" })?,
                    text: self.unseal(place(&line_key(session, line_id)), &sealed)?,
                    at: Moment::from_micros_i64(column(row, 2)?),
                })
            })
            .collect()
    }
}

impl AccountTx {
    /// Keeps a line of chat. The same line (by its id) is kept once, as it came first.
    pub async fn keep_chat(&mut self, session: SessionId, line: ChatLine) -> Result<ChatKept, StoreError> {
        let id = blob(session.as_bytes());
        if one(&self.tx, "SELECT 1 FROM session WHERE id = $1", [id.clone()]).await?.is_none() {
            return Ok(ChatKept::NoSession);
        }
        let key = line_key(session, line.line_id);
        let values = [
            id,
            blob(line.line_id.as_bytes()),
            line.author.word().into(),
            line.at.as_micros_i64().into(),
            self.seal(place(&key), &line.text).into(),
        ];
        let sql = "INSERT INTO chat_line (session, line_id, author, at, sealed_text, number)
            VALUES ($1, $2, $3, $4, $5, (SELECT coalesce(max(number), 0) + 1 FROM chat_line WHERE session = $1))
            ON CONFLICT (session, line_id) DO NOTHING";
        if run(&self.tx, sql, values).await? == 0 {
            return Ok(ChatKept::Already);
        }
        self.notify(Notice::SessionChanged { account: self.account(), session });
        Ok(ChatKept::New)
    }
}

fn place(row: &[u8]) -> Place<'_> {
    Place { table: "chat_line", column: "sealed_text", row }
}

fn line_key(session: SessionId, line: Uuid) -> Vec<u8> {
    [session.as_bytes().as_slice(), line.as_bytes()].concat()
}
