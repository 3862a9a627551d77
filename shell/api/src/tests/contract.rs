//! The checked-in contract is the one the code answers.

#[test]
fn the_openapi_document_is_the_checked_in_one() {
    let checked_in = include_str!("../../../../openapi/belay.json");
    let code = crate::document();
    assert!(
        checked_in == code,
        "openapi/belay.json differs from the code; write it again with: cargo run --release -p belay -- openapi > openapi/belay.json"
    );
}
