//! Who somebody is: password hashes, and the random secrets the website hands out.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod password;
mod random;
pub mod role_key;

pub use password::{
    Cost, IdentityError, PASSWORD_MAX_BYTES, PASSWORD_MIN_CHARS, Passwords, Verification, check_new_password,
};
pub use random::{
    random_leg_ticket, random_password, random_pin, random_salt, random_session_authentication_id,
    random_token,
};
