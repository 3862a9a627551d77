//! Every refusal of a configuration is one sentence with the key, the place and the mend.

use super::*;

fn read(text: &str) -> Result<Config, ConfigError> {
    assemble(Some((Path::new("belay.toml"), text)), [])
}

fn refusal(text: &str) -> String {
    let sentence = read(text).unwrap_err().to_string();
    assert!(!sentence.contains('\n'), "{sentence}");
    sentence
}

#[test]
fn nothing_written_gives_the_defaults() {
    assert_eq!(read("").unwrap(), Config::default());
}

#[test]
fn every_key_is_understood() {
    let config = read(
        r#"
        listen = "0.0.0.0:443"
        public_url = "https://help.example.com"
        data_dir = "/srv/belay"
        sign_off_seconds = 600
        region = "north"
        gateways = [{ url = "wss://one.example.com:8444/gateway/v1", region = "north" }]
        [website]
        url = "https://help.example.com"
        anchor = "/etc/belay/website.pem"
        [tls]
        certificate = "/etc/belay/cert.pem"
        key = "/etc/belay/key.pem"
        self_signed = false
        anchor = ""
        [applets]
        linux_x86_64 = "/usr/lib/belay/belay-applet"
        [turn]
        enabled = true
        udp_port = 3478
        relay_addresses = ["192.0.2.1/10.0.0.4", "2001:db8::1"]
        relay_ports = "50000-50999"
        host = "turn.example.com"
        [log]
        format = "json"
        level = "warn"
        [limits]
        pin_per_address = 5
        pin_in_all = 50
        sign_in_per_address = 7
        "#,
    )
    .unwrap();
    let default = Config::default();
    assert_eq!(config.public_url.unwrap().to_string(), "https://help.example.com");
    assert_eq!(config.tls.anchor, Anchor::System);
    assert!(matches!(config.tls.source, TlsSource::Files { .. }));
    let listed = GatewayAt { url: "wss://one.example.com:8444/gateway/v1".into(), region: "north".into() };
    assert_eq!(config.gateways, [listed]);
    assert_eq!(config.website.url.unwrap().host(), "help.example.com");
    assert_eq!(config.website.anchor, Some(PemSource::File("/etc/belay/website.pem".into())));
    assert_eq!(config.turn.udp_port, Some(3478));
    assert_eq!(config.turn.relay_addresses.len(), 2);
    assert_eq!(config.turn.relay_ports, 50_000..=50_999);
    assert_eq!(config.turn.host.as_deref(), Some("turn.example.com"));
    assert_eq!(config.limits.pin_in_all, 50);
    assert_ne!(config.listen, default.listen);
    assert_ne!(config.log, default.log);
    assert_eq!(config.applets.linux_x86_64.unwrap(), Path::new("/usr/lib/belay/belay-applet"));
    assert_eq!((config.sign_off_seconds, config.region.as_str()), (600, "north"));
}

#[test]
fn an_unknown_key_names_itself_its_file_and_the_nearest_one() {
    assert_eq!(
        refusal("listn = \"127.0.0.1:1\""),
        "unknown key \"listn\" in belay.toml; write \"listen\" instead, or remove it"
    );
    assert_eq!(
        refusal("certificate = \"x\""),
        "unknown key \"certificate\" in belay.toml; write \"tls.certificate\" instead, or remove it"
    );
    assert!(
        refusal("[tls]\nfoobarbaz = 1").starts_with("unknown key \"tls.foobarbaz\" in belay.toml; remove it")
    );
    assert!(refusal("[database]\nurl = 1").contains("\"database\""));
}

#[test]
fn an_unknown_variable_is_refused_too() {
    let error = assemble(None, [("BELAY_TLS__KYE".to_owned(), "x".to_owned())]).unwrap_err().to_string();
    assert_eq!(
        error,
        "unknown key \"tls.kye\" in the environment variable BELAY_TLS__KYE; write \"tls.key\" instead, or remove it"
    );
}

#[test]
fn the_environment_lies_over_the_file() {
    let config = assemble(
        Some((Path::new("belay.toml"), "sign_off_seconds = 100\n[log]\nlevel = \"warn\"")),
        [
            ("BELAY_SIGN_OFF_SECONDS".to_owned(), "200".to_owned()),
            ("BELAY_LOG__LEVEL".to_owned(), "debug".to_owned()),
            ("BELAY_CONFIG".to_owned(), "belay.toml".to_owned()),
            ("PATH".to_owned(), "/bin".to_owned()),
        ],
    )
    .unwrap();
    assert_eq!((config.sign_off_seconds, config.log.level.as_str()), (200, "debug"));
}

#[test]
fn impossible_values_say_what_to_write() {
    assert_eq!(
        refusal("sign_off_seconds = 5"),
        "sign_off_seconds in belay.toml is 5, which is not possible; write a whole number from 60 to 86400"
    );
    assert!(refusal("listen = \"localhost\"").contains("write an address and a port"));
    assert!(refusal("public_url = \"http://example.com\"").contains("https://help.example.com"));
    assert!(refusal("listen = 3").contains("in quotation marks"));
    assert!(refusal("[log]\nlevel = \"loud\"").contains("\"info\""));
    assert!(refusal("tls = 1").contains("\"tls\""));
    assert!(refusal("a = = b").contains("not valid TOML"));
}

#[test]
fn a_self_signed_certificate_is_for_loopback_only() {
    assert!(refusal("listen = \"0.0.0.0:443\"").contains("give tls.certificate and tls.key"));
    assert!(refusal("listen = \"0.0.0.0:443\"\n[tls]\nself_signed = true").contains("0.0.0.0:443"));
    assert!(refusal("[tls]\ncertificate = \"c\"").contains("tls.key"));
    assert!(refusal("[tls]\nkey = \"c\"").contains("tls.certificate"));
    assert!(refusal("[tls]\nself_signed = false").contains("no certificate"));
    assert!(refusal("[tls]\nself_signed = true\ncertificate = \"c\"\nkey = \"k\"").contains("remove one"));
}

#[test]
fn gateways_are_read_from_the_environment_too_and_strictly() {
    let listed = r#"[{ url = "wss://a.example/gateway/v1", region = "eu" }, { url = "wss://b.example/gateway/v1", region = "eu" }]"#;
    let config = assemble(None, [("BELAY_GATEWAYS".to_owned(), listed.to_owned())]).unwrap();
    assert_eq!(config.gateways[1].url, "wss://b.example/gateway/v1");
    for wrong in [
        r#""wss://a.example/gateway/v1""#,
        r#"["wss://a.example/gateway/v1"]"#,
        r#"[{ url = "https://a.example/gateway/v1", region = "eu" }]"#,
        r#"[{ url = "wss://a.example/", region = "eu" }]"#,
        r#"[{ url = "wss://a.example/gateway/v1" }]"#,
        r#"[{ url = "wss://a.example/gateway/v1", region = "eu", weight = 1 }]"#,
    ] {
        assert!(refusal(&format!("gateways = {wrong}")).contains("write [{ url ="), "{wrong}");
    }
}

#[test]
fn what_nobody_could_be_relayed_by_is_refused() {
    for (line, key) in [
        ("udp_port = 0", "turn.udp_port"),
        ("relay_ports = \"50000-50010\"", "turn.relay_ports"),
        ("relay_ports = \"1000-2000\"", "turn.relay_ports"),
        ("relay_ports = \"60000-50000\"", "turn.relay_ports"),
        ("relay_ports = \"50000\"", "turn.relay_ports"),
        ("relay_addresses = [\"0.0.0.0\"]", "turn.relay_addresses"),
        ("relay_addresses = [\"192.0.2.1\", \"192.0.2.2\"]", "turn.relay_addresses"),
        ("relay_addresses = \"192.0.2.1\"", "turn.relay_addresses"),
        ("host = \"https://turn.example.com\"", "turn.host"),
        ("host = \"turn.example.com:3478\"", "turn.host"),
    ] {
        let sentence = refusal(&format!("[turn]\n{line}"));
        assert!(sentence.starts_with(key) && sentence.contains("write"), "{sentence}");
    }
    assert!(!read("[turn]\nenabled = false").unwrap().turn.enabled);
}
