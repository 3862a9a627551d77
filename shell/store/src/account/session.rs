//! Support sessions: their rows, what happened in them, and the commands that change them.

use belay_access::life;
use belay_session::{Command, Event, State};
use belay_wire::{MemberId, Moment, SessionId};
use sea_orm::{QueryResult, Value};

use super::{AccountTx, AccountView};
use crate::bus::Notice;
use crate::database::{all, blob, column, id_column, one, run};
use crate::directory::random_uuid;
use crate::error::{ApplyError, StoreError};
use crate::seal::Place;
use crate::types::{Person, Session, SessionDetails, SessionEvent, Through};

/// Most sessions a list gives.
const LIST_MAX: u32 = 500;

/// A query for sessions with the names of their people, in the order that `session_of` reads.
macro_rules! sessions {
    ($rest:literal) => {
        concat!(
            "SELECT s.id, s.phase, s.created_by, s.created_at, s.link_expires_at, s.sealed_end_user_name,
                s.end_user_address, s.platform, s.technician, s.waiting_at, s.active_at, s.ended_at, s.ended_by,
                s.lost_at, s.offline_micros, c.name, t.name
            FROM session s JOIN member c ON c.id = s.created_by LEFT JOIN member t ON t.id = s.technician ",
            $rest
        )
    };
}

impl AccountView {
    /// One session.
    pub async fn session(&self, session: SessionId) -> Result<Option<Session>, StoreError> {
        let row = one(&self.tx, sessions!("WHERE s.id = $1"), [blob(session.as_bytes())]).await?;
        row.as_ref().map(|row| self.session_of(row)).transpose()
    }

    /// One session with its chat and what happened in it.
    pub async fn session_details(&self, session: SessionId) -> Result<Option<SessionDetails>, StoreError> {
        let id = session;
        let Some(session) = self.session(id).await? else { return Ok(None) };
        Ok(Some(SessionDetails { session, chat: self.chat(id).await?, events: self.events(id).await? }))
    }

    /// Sessions that are connecting (the viewer's own only), waiting, active or away, the newest first.
    pub async fn open_sessions(&self, viewer: MemberId, limit: u32) -> Result<Vec<Session>, StoreError> {
        let sql = sessions!(
            "WHERE s.phase IN ('waiting', 'active', 'reconnecting', 'offline') OR (s.phase = 'connecting' AND s.created_by = $1)
            ORDER BY s.created_at DESC, s.id LIMIT $2"
        );
        let rows = all(&self.tx, sql, [blob(viewer.as_bytes()), list_limit(limit)]).await?;
        rows.iter().map(|row| self.session_of(row)).collect()
    }

    /// Sessions that have ended, by the time they were made, the newest first; with `before`, only those made earlier.
    pub async fn ended_sessions(
        &self,
        limit: u32,
        before: Option<Moment>,
    ) -> Result<Vec<Session>, StoreError> {
        let sql = sessions!(
            "WHERE s.phase IN ('closed', 'timed_out', 'aborted') AND s.created_at < $1
            ORDER BY s.created_at DESC, s.id LIMIT $2"
        );
        let before = before.map_or(i64::MAX, Moment::as_micros_i64);
        let rows = all(&self.tx, sql, [before.into(), list_limit(limit)]).await?;
        rows.iter().map(|row| self.session_of(row)).collect()
    }

    /// What ties a charter to the applet that was admitted to a session; `None` before that.
    pub async fn binding(&self, session: SessionId) -> Result<Option<[u8; 32]>, StoreError> {
        let row =
            one(&self.tx, "SELECT binding FROM session WHERE id = $1", [blob(session.as_bytes())]).await?;
        let binding: Option<Vec<u8>> = row.as_ref().map_or(Ok(None), |row| column(row, 0))?;
        let binding = binding.map(TryInto::try_into).transpose();
        binding.map_err(|_| StoreError::Damaged { what: "session.binding" })
    }

    /// Sessions whose time may be over at `now`.
    pub(crate) async fn due_sessions(&self, now: Moment) -> Result<Vec<SessionId>, StoreError> {
        let sql = "SELECT id FROM session WHERE (phase = 'connecting' AND link_expires_at <= $1)
            OR (phase = 'waiting' AND waiting_at <= $2) OR (phase = 'reconnecting' AND lost_at <= $3)
            OR (phase = 'offline' AND lost_at <= $4)";
        let before = |life: u64| Moment(now.0.saturating_sub(life)).as_micros_i64().into();
        let values = [
            now.as_micros_i64().into(),
            before(belay_session::WAITING_LIFE_MICROS),
            before(belay_session::RECONNECTING_MICROS),
            before(belay_session::AWAY_LIFE_MICROS),
        ];
        ids(all(&self.tx, sql, values).await?)
    }

    /// Sessions whose applet is connected through this gateway.
    pub(crate) async fn connected_sessions(&self, through: Through) -> Result<Vec<SessionId>, StoreError> {
        let sql = "SELECT id, applet_gateway FROM session WHERE phase IN ('waiting', 'active')";
        let rows = all(&self.tx, sql, []).await?;
        let mut here = Vec::new();
        for row in rows {
            if through_of(&row, 1)? == through {
                here.push(SessionId::from_bytes(id_column(&row, 0, "session.id")?));
            }
        }
        Ok(here)
    }

    /// Through which gateway the session's applet came last.
    pub async fn applet_through(&self, session: SessionId) -> Result<Through, StoreError> {
        let sql = "SELECT applet_gateway FROM session WHERE id = $1";
        let row = one(&self.tx, sql, [blob(session.as_bytes())]).await?;
        row.as_ref().map_or(Ok(Through::Own), |row| through_of(row, 0))
    }

    /// The gateways of other processes that applets are connected through.
    pub(crate) async fn gateways_in_use(&self) -> Result<Vec<[u8; 32]>, StoreError> {
        let sql = "SELECT DISTINCT applet_gateway FROM session
            WHERE phase IN ('waiting', 'active') AND applet_gateway IS NOT NULL";
        let rows = all(&self.tx, sql, []).await?;
        let mut keys = Vec::new();
        for row in rows {
            if let Through::Gateway(key) = through_of(&row, 0)? {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    async fn events(&self, session: SessionId) -> Result<Vec<SessionEvent>, StoreError> {
        let sql =
            "SELECT number, at, kind, sealed_detail FROM session_event WHERE session = $1 ORDER BY number";
        let rows = all(&self.tx, sql, [blob(session.as_bytes())]).await?;
        rows.iter()
            .map(|row| {
                let sealed: Vec<u8> = column(row, 3)?;
                let key = event_key(session, column(row, 0)?);
                Ok(SessionEvent {
                    at: Moment::from_micros_i64(column(row, 1)?),
                    kind: column(row, 2)?,
                    detail: self.unseal(event_place(&key), &sealed)?,
                })
            })
            .collect()
    }

    fn session_of(&self, row: &QueryResult) -> Result<Session, StoreError> {
        let damaged = |what| StoreError::Damaged { what };
        let id = SessionId::from_bytes(id_column(row, 0, "session.id")?);
        let created_by = MemberId::from_bytes(id_column(row, 2, "session.created_by")?);
        let sealed_name: Option<Vec<u8>> = column(row, 5)?;
        let name = sealed_name.map(|sealed| self.unseal(name_place(id.as_bytes()), &sealed)).transpose()?;
        let technician: Option<Vec<u8>> = column(row, 8)?;
        let technician = technician.map(TryInto::try_into).transpose();
        let technician = technician.map_err(|_| damaged("session.technician"))?.map(MemberId::from_bytes);
        let technician_name: Option<String> = column(row, 16)?;
        let state = State {
            phase: word(row, 1)?.ok_or(damaged("session.phase"))?,
            created_by,
            created_at: Moment::from_micros_i64(column(row, 3)?),
            link_expires_at: Moment::from_micros_i64(column(row, 4)?),
            end_user_name: name,
            end_user_address: column(row, 6)?,
            platform: word(row, 7)?,
            technician,
            waiting_at: moment(row, 9)?,
            active_at: moment(row, 10)?,
            ended_at: moment(row, 11)?,
            ended_by: word(row, 12)?,
            lost_at: moment(row, 13)?,
            offline_micros: Moment::from_micros_i64(column(row, 14)?).0,
        };
        Ok(Session {
            id,
            state,
            created_by: Person { id: created_by, name: column(row, 15)? },
            technician: technician.zip(technician_name).map(|(id, name)| Person { id, name }),
        })
    }
}

impl AccountTx {
    /// Makes a session that waits for its invitation to be used; its link lives as long as the contract says.
    pub async fn create_session(&mut self, by: MemberId, now: Moment) -> Result<Session, ApplyError> {
        let id = SessionId::from_bytes(random_uuid());
        let member = self.member(by).await?.ok_or(ApplyError::NotFound)?;
        let (state, events) = belay_session::create(by, now + life::LINK, now);
        let sql = "INSERT INTO session (phase, created_by, created_at, link_expires_at, sealed_end_user_name,
            end_user_address, platform, technician, waiting_at, active_at, ended_at, ended_by, lost_at,
            offline_micros, id)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
        run(&self.tx, sql, self.row_of(id, &state)).await?;
        self.append_events(id, &events, now).await?;
        self.notify(Notice::SessionChanged { account: self.account(), session: id });
        let created_by = Person { id: by, name: member.name };
        Ok(Session { id, state, created_by, technician: None })
    }

    /// Decides a command and keeps what follows from it: the state and what happened.
    pub async fn apply(
        &mut self,
        session: SessionId,
        command: Command,
        now: Moment,
    ) -> Result<Session, ApplyError> {
        let before = self.session(session).await?.ok_or(ApplyError::NotFound)?;
        let (state, events) =
            belay_session::decide(&before.state, command, now).map_err(ApplyError::Refused)?;
        if state == before.state && events.is_empty() {
            return Ok(before);
        }
        let technician = match (state.technician, before.technician) {
            (None, _) => None,
            (Some(_), Some(already)) => Some(already),
            (Some(new), None) => {
                let member = self.member(new).await?.ok_or(ApplyError::NotFound)?;
                Some(Person { id: new, name: member.name })
            }
        };
        let sql = "UPDATE session SET phase = $1, created_by = $2, created_at = $3, link_expires_at = $4,
            sealed_end_user_name = $5, end_user_address = $6, platform = $7, technician = $8, waiting_at = $9,
            active_at = $10, ended_at = $11, ended_by = $12, lost_at = $13, offline_micros = $14 WHERE id = $15";
        run(&self.tx, sql, self.row_of(session, &state)).await?;
        self.append_events(session, &events, now).await?;
        self.notify(Notice::SessionChanged { account: self.account(), session });
        Ok(Session { id: session, state, created_by: before.created_by, technician })
    }

    /// Keeps what ties charters to the applet that is being admitted.
    pub(crate) async fn keep_binding(
        &mut self,
        session: SessionId,
        binding: &[u8],
    ) -> Result<(), StoreError> {
        let values = [blob(binding), blob(session.as_bytes())];
        run(&self.tx, "UPDATE session SET binding = $1 WHERE id = $2", values).await?;
        Ok(())
    }

    /// Keeps through which gateway the applet came.
    pub(crate) async fn keep_through(
        &mut self,
        session: SessionId,
        through: Through,
    ) -> Result<(), StoreError> {
        let key = match through {
            Through::Own => None,
            Through::Gateway(key) => Some(key.to_vec()),
        };
        let values = [key.into(), blob(session.as_bytes())];
        run(&self.tx, "UPDATE session SET applet_gateway = $1 WHERE id = $2", values).await?;
        Ok(())
    }

    /// What came through one gateway came through another.
    pub(crate) async fn change_gateway(
        &mut self,
        before: &[u8; 32],
        next: &[u8; 32],
    ) -> Result<(), StoreError> {
        let sql = "UPDATE session SET applet_gateway = $1 WHERE applet_gateway = $2";
        run(&self.tx, sql, [blob(next), blob(before)]).await?;
        Ok(())
    }

    async fn append_events(
        &mut self,
        session: SessionId,
        events: &[Event],
        now: Moment,
    ) -> Result<(), ApplyError> {
        let sql = "SELECT coalesce(max(number), 0) FROM session_event WHERE session = $1";
        let last = one(&self.tx, sql, [blob(session.as_bytes())]).await?;
        let last: i64 = last.map_or(Ok(0), |row| column(&row, 0))?;
        for (number, event) in (last + 1..).zip(events) {
            let detail = self.detail_of(event).await?;
            let key = event_key(session, number);
            let values = [
                blob(session.as_bytes()),
                number.into(),
                now.as_micros_i64().into(),
                event.kind().into(),
                self.seal(event_place(&key), &detail).into(),
            ];
            let sql = "INSERT INTO session_event (session, number, at, kind, sealed_detail)
                VALUES ($1, $2, $3, $4, $5)";
            run(&self.tx, sql, values).await?;
        }
        Ok(())
    }

    /// What a reader of the log wants to see beside the kind.
    async fn detail_of(&self, event: &Event) -> Result<String, ApplyError> {
        Ok(match event {
            Event::Created { by: member } | Event::PickedUp { technician: member } => {
                self.member(*member).await?.ok_or(ApplyError::NotFound)?.name
            }
            Event::Joined { name } => name.clone(),
            Event::Downloaded { platform } => platform.word().to_owned(),
            Event::Waiting { address } => address.clone(),
            Event::Reported(report) => report.detail.clone(),
            Event::Reconnected { address } => address.clone(),
            Event::ConnectionLost | Event::ConsoleLeft | Event::Offline => String::new(),
            Event::Ended { phase, .. } => phase.word().to_owned(),
        })
    }

    fn row_of(&self, id: SessionId, state: &State) -> [Value; 15] {
        let at = |moment: Option<Moment>| moment.map(Moment::as_micros_i64).into();
        let sealed_name = state.end_user_name.as_ref().map(|name| self.seal(name_place(id.as_bytes()), name));
        [
            state.phase.word().into(),
            blob(state.created_by.as_bytes()),
            state.created_at.as_micros_i64().into(),
            state.link_expires_at.as_micros_i64().into(),
            sealed_name.into(),
            state.end_user_address.clone().into(),
            state.platform.map(|platform| platform.word()).into(),
            state.technician.map(|member| member.as_bytes().to_vec()).into(),
            at(state.waiting_at),
            at(state.active_at),
            at(state.ended_at),
            state.ended_by.map(|by| by.word()).into(),
            at(state.lost_at),
            Moment(state.offline_micros).as_micros_i64().into(),
            blob(id.as_bytes()),
        ]
    }
}

fn through_of(row: &QueryResult, at: usize) -> Result<Through, StoreError> {
    let key: Option<Vec<u8>> = column(row, at)?;
    match key.map(TryInto::try_into) {
        None => Ok(Through::Own),
        Some(Ok(key)) => Ok(Through::Gateway(key)),
        Some(Err(_)) => Err(StoreError::Damaged { what: "session.applet_gateway" }),
    }
}

fn list_limit(limit: u32) -> Value {
    i64::from(limit.min(LIST_MAX)).into()
}

fn ids(rows: Vec<QueryResult>) -> Result<Vec<SessionId>, StoreError> {
    rows.iter().map(|row| Ok(SessionId::from_bytes(id_column(row, 0, "session.id")?))).collect()
}

fn moment(row: &QueryResult, at: usize) -> Result<Option<Moment>, StoreError> {
    let micros: Option<i64> = column(row, at)?;
    Ok(micros.map(Moment::from_micros_i64))
}

fn word<T: std::str::FromStr>(row: &QueryResult, at: usize) -> Result<Option<T>, StoreError> {
    let text: Option<String> = column(row, at)?;
    let parsed = text.map(|text| text.parse()).transpose();
    parsed.map_err(|_| StoreError::Damaged { what: "a word of session" })
}

fn name_place(row: &[u8]) -> Place<'_> {
    Place { table: "session", column: "sealed_end_user_name", row }
}

fn event_place(row: &[u8]) -> Place<'_> {
    Place { table: "session_event", column: "sealed_detail", row }
}

fn event_key(session: SessionId, number: i64) -> Vec<u8> {
    [session.as_bytes().as_slice(), &number.to_be_bytes()].concat()
}
