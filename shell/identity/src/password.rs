//! Password hashes: scrypt in PHC form, with a salt of our own and a cap on how many run at once.

use std::sync::Arc;

use scrypt::password_hash::{CustomizedPasswordHasher, Error as HashError, PasswordVerifier};
use scrypt::phc::PasswordHash;
use scrypt::{Params, Scrypt};
use tokio::sync::Semaphore;

use crate::random::random_salt;

/// Fewest characters of a new password.
pub const PASSWORD_MIN_CHARS: usize = 12;
/// Most bytes of a password.
pub const PASSWORD_MAX_BYTES: usize = 1024;
/// Hashes computed at once; each takes 128 MiB at the production cost.
const AT_ONCE: usize = 2;

/// Why a password could not be hashed or checked.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A new password is too short.
    #[error("the password has {chars} characters, choose one with {PASSWORD_MIN_CHARS} or more")]
    TooShort {
        /// How many it has.
        chars: usize,
    },
    /// A password is too long.
    #[error("the password has {bytes} bytes, choose one with at most {PASSWORD_MAX_BYTES}")]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// The cost is outside what scrypt can do.
    #[error("scrypt cannot work with ln={ln}, r={r}, p={p}")]
    BadCost {
        /// Binary logarithm of N.
        ln: u8,
        /// Block size.
        r: u32,
        /// Parallelism.
        p: u32,
    },
    /// A stored hash is not one of ours.
    #[error("a stored password hash cannot be read: {0}")]
    BadHash(String),
    /// The program is shutting down.
    #[error("password checking has stopped because the program is ending")]
    Stopped,
}

/// What a hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Binary logarithm of scrypt's N.
    pub ln: u8,
    /// Block size.
    pub r: u32,
    /// Parallelism.
    pub p: u32,
}

impl Cost {
    /// 128 MiB and about half a second.
    pub const PRODUCTION: Cost = Cost { ln: 17, r: 8, p: 1 };
}

/// Was the password the right one?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// It was.
    Right,
    /// It was not, or there is no such id.
    Wrong,
}

/// May this be a new password? 12 characters or more, at most 1024 bytes.
pub fn check_new_password(password: &str) -> Result<(), IdentityError> {
    let chars = password.chars().count();
    if chars < PASSWORD_MIN_CHARS {
        return Err(IdentityError::TooShort { chars });
    }
    check_length(password)
}

fn check_length(password: &str) -> Result<(), IdentityError> {
    let bytes = password.len();
    if bytes > PASSWORD_MAX_BYTES { Err(IdentityError::TooLong { bytes }) } else { Ok(()) }
}

/// Hashes and checks passwords. Cheap to clone; all clones share one cap on the work done at once.
#[derive(Clone)]
pub struct Passwords {
    params: Params,
    /// The hash that an unknown id is checked against, so that it takes as long as a known one.
    dummy: Arc<str>,
    turns: Arc<Semaphore>,
}

impl Passwords {
    /// Makes the dummy hash, which takes as long as one hash does; blocks meanwhile.
    pub fn new(cost: Cost) -> Result<Passwords, IdentityError> {
        let Cost { ln, r, p } = cost;
        let params = Params::new(ln, r, p).map_err(|_| IdentityError::BadCost { ln, r, p })?;
        let dummy = hash(params, &random_salt())?.into();
        Ok(Passwords { params, dummy, turns: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    /// Hashes a new password that [`check_new_password`] allows.
    pub async fn hash(&self, password: &str) -> Result<String, IdentityError> {
        check_new_password(password)?;
        let (params, password) = (self.params, password.to_owned());
        self.in_turn(move || hash(params, &password)).await
    }

    /// Checks a password against a stored hash, or against nothing at the same cost (`None`: always `Wrong`).
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Result<Verification, IdentityError> {
        check_length(password)?;
        let known = stored.is_some();
        let (stored, password) = (stored.unwrap_or(&self.dummy).to_owned(), password.to_owned());
        let verification = self.in_turn(move || verify(&password, &stored)).await?;
        Ok(if known { verification } else { Verification::Wrong })
    }

    /// Was the hash made at a lower cost than today's? Then hash the password again when it is at hand.
    pub fn needs_rehash(&self, stored: &str) -> bool {
        let made_with = PasswordHash::new(stored).ok().and_then(|hash| Params::try_from(&hash).ok());
        made_with.is_none_or(|params| {
            (params.log_n(), params.r(), params.p())
                != (self.params.log_n(), self.params.r(), self.params.p())
        })
    }

    async fn in_turn<T, F>(&self, work: F) -> Result<T, IdentityError>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, IdentityError> + Send + 'static,
    {
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| IdentityError::Stopped)?;
        let work = move || {
            // The turn lasts as long as the work does, even when the caller has gone away meanwhile.
            let _turn = turn;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| IdentityError::Stopped)?
    }
}

fn hash(params: Params, password: &str) -> Result<String, IdentityError> {
    let salt = random_salt();
    Scrypt::new()
        .hash_password_customized(password.as_bytes(), salt.as_bytes(), None, None, params)
        .map(|hash| hash.to_string())
        .map_err(|error| IdentityError::BadHash(error.to_string()))
}

fn verify(password: &str, stored: &str) -> Result<Verification, IdentityError> {
    let stored = PasswordHash::new(stored).map_err(|error| IdentityError::BadHash(error.to_string()))?;
    match Scrypt::new().verify_password(password.as_bytes(), &stored) {
        Ok(()) => Ok(Verification::Right),
        Err(HashError::PasswordInvalid) => Ok(Verification::Wrong),
        Err(error) => Err(IdentityError::BadHash(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Cost = Cost { ln: 10, r: 8, p: 1 };
    const PASSWORD: &str = "correct horse battery";

    #[tokio::test]
    async fn the_right_password_is_right_and_others_are_wrong() {
        let passwords = Passwords::new(QUICK).unwrap();
        let stored = passwords.hash(PASSWORD).await.unwrap();
        assert_eq!(passwords.verify(PASSWORD, Some(&stored)).await.unwrap(), Verification::Right);
        assert_eq!(
            passwords.verify("correct horse batterz", Some(&stored)).await.unwrap(),
            Verification::Wrong
        );
        assert_eq!(passwords.verify("", Some(&stored)).await.unwrap(), Verification::Wrong);
    }

    #[tokio::test]
    async fn an_unknown_id_is_always_wrong() {
        let passwords = Passwords::new(QUICK).unwrap();
        assert_eq!(passwords.verify(PASSWORD, None).await.unwrap(), Verification::Wrong);
    }

    #[tokio::test]
    async fn a_hash_says_its_cost_and_has_a_salt_of_24_characters_of_its_own() {
        let passwords = Passwords::new(QUICK).unwrap();
        let (one, two) = (passwords.hash(PASSWORD).await.unwrap(), passwords.hash(PASSWORD).await.unwrap());
        assert_ne!(one, two);
        for stored in [one, two] {
            assert!(stored.starts_with("$scrypt$ln=10,r=8,p=1$"), "{stored}");
            let parsed = PasswordHash::new(&stored).unwrap();
            let salt = parsed.salt.unwrap();
            assert_eq!(salt.len(), 24);
            assert!(salt.iter().all(u8::is_ascii_alphanumeric));
            assert_eq!(parsed.hash.unwrap().as_bytes().len(), 32);
        }
    }

    #[test]
    fn the_production_cost_is_what_was_promised() {
        assert_eq!(Cost::PRODUCTION, Cost { ln: 17, r: 8, p: 1 });
        let passwords = Passwords::new(Cost::PRODUCTION).unwrap();
        assert!(passwords.dummy.starts_with("$scrypt$ln=17,r=8,p=1$"));
        assert!(!passwords.needs_rehash(&passwords.dummy));
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_wants_to_be_made_again() {
        let passwords = Passwords::new(QUICK).unwrap();
        let stored = passwords.hash(PASSWORD).await.unwrap();
        assert!(!passwords.needs_rehash(&stored));
        assert!(Passwords::new(Cost { ln: 11, ..QUICK }).unwrap().needs_rehash(&stored));
        assert!(passwords.needs_rehash("rubbish"));
    }

    #[tokio::test]
    async fn short_and_huge_passwords_are_refused_with_a_reason() {
        let passwords = Passwords::new(QUICK).unwrap();
        let short = passwords.hash("elf letters").await.unwrap_err();
        assert_eq!(short.to_string(), "the password has 11 characters, choose one with 12 or more");
        assert!(check_new_password("zwölfzeichen").is_ok(), "characters are counted, not bytes");
        let huge = "x".repeat(1025);
        assert!(matches!(passwords.hash(&huge).await, Err(IdentityError::TooLong { bytes: 1025 })));
        assert!(matches!(passwords.verify(&huge, None).await, Err(IdentityError::TooLong { .. })));
    }

    #[tokio::test]
    async fn a_damaged_hash_is_an_error_not_a_wrong_password() {
        let passwords = Passwords::new(QUICK).unwrap();
        assert!(matches!(passwords.verify(PASSWORD, Some("rubbish")).await, Err(IdentityError::BadHash(_))));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_more_than_two_hashes_run_at_once() {
        let passwords = Passwords::new(QUICK).unwrap();
        let running = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let most = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (passwords, running, most) = (passwords.clone(), running.clone(), most.clone());
                tokio::spawn(async move {
                    let work = move || {
                        use std::sync::atomic::Ordering::SeqCst;
                        most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                        std::thread::sleep(std::time::Duration::from_millis(20));
                        running.fetch_sub(1, SeqCst);
                        Ok(())
                    };
                    passwords.in_turn(work).await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(most.load(std::sync::atomic::Ordering::SeqCst), AT_ONCE);
    }
}
