//! The charter's fixed names and the binding that ties it to one applet. Spec: `docs/protocol/charter.md`.

/// Name and version, also the first line of what is signed.
pub const NAME: &str = "belay-charter/1";
/// First line of what is hashed into the binding.
pub const BINDING_NAME: &str = "belay-binding/1";
/// Longest document in bytes.
pub const MAX_DOCUMENT: usize = 4096;
/// Bytes of an Ed25519 signature.
pub const SIGNATURE: usize = 64;

/// The bytes the signature covers.
pub fn signed_bytes(document: &[u8]) -> Vec<u8> {
    [NAME.as_bytes(), b"\n", document].concat()
}

/// The bytes whose SHA-256 is the binding of a session.
pub fn binding_bytes(session_authentication_id: &[u8; 16]) -> Vec<u8> {
    [BINDING_NAME.as_bytes(), b"\n", session_authentication_id.as_slice()].concat()
}
