//! Names of RFC 4514 and RFC 4518, and certificates made by OpenSSL.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::names::Kind;
use super::{published, read};

/// Subject `C=DE, O=Müller \, Sons, OU=Sales+CN=J.  Smith, emailAddress=Ops@Example.ORG`, alternative names of every kind, key P-256.
pub const FULL: &str = concat!(
    "MIICpzCCAkygAwIBAgIUZ19e9+s5SWE5V/iNU3pQYs9uECkwCgYIKoZIzj0EAwIwaDELMAkGA1UEBhMCREUxFzAVBgNVBAoMDk3DvGxsZXIgLC",
    "BTb25zMSAwDAYDVQQLDAVTYWxlczAQBgNVBAMMCUouICBTbWl0aDEeMBwGCSqGSIb3DQEJARYPT3BzQEV4YW1wbGUuT1JHMCAXDTI2MTIwMTA4",
    "NTk0NVoYDzIxMjYxMTA3MDg1OTQ1WjBoMQswCQYDVQQGEwJERTEXMBUGA1UECgwOTcO8bGxlciAsIFNvbnMxIDAMBgNVBAsMBVNhbGVzMBAGA1",
    "UEAwwJSi4gIFNtaXRoMR4wHAYJKoZIhvcNAQkBFg9PcHNARXhhbXBsZS5PUkcwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATyWhYNwjouy0dy",
    "RxuD8jhdbZNHzgdSifJ4zTSQT+MFMUEFTDsoyGI/EgGtd/zkmUjLiUd0vU/GDFK1cz1b2G+do4HRMIHOMIGsBgNVHREEgaQwgaGCDkNsaWVudC",
    "5FeGFtcGxlgg5zZWNvbmQuZXhhbXBsZYYcc3BpZmZlOi8vZXhhbXBsZS5vcmcvbnMvUHJvZIcEwAACAYcQIAENuAAAAAAAAAAAAAAAAYEPT3Bz",
    "QEV4YW1wbGUuT1JHpBIwEDEOMAwGA1UEAwwFb3RoZXKgHwYKKwYBBAGCNxQCA6ARDA9vcHNAZXhhbXBsZS5vcmeIAyoDBDAdBgNVHQ4EFgQUqQ",
    "SvZZdKRQqhVQB/OD8ftBRWlEUwCgYIKoZIzj0EAwIDSQAwRgIhAKkNsiKwtHm58WwWgS2kyPYYwm9tsv5vEnln5HKhNMa4AiEAyp5bbMuQvKlj",
    "axaRCmzk2M0LBlhoc9NOGPiWh9Y8VsM=",
);
/// Version 1, subject `CN=rsa`.
const RSA: &str = concat!(
    "MIICpTCCAY0CFDnXZ27jv/8MlAgpNENiaLHT5AW5MA0GCSqGSIb3DQEBCwUAMA4xDDAKBgNVBAMMA3JzYTAgFw0yNjEyMDEwODU5NDZaGA8yMT",
    "I2MTEwNzA4NTk0NlowDjEMMAoGA1UEAwwDcnNhMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0pISz/FT8TMvKMPBVD1KTiFZzHLm",
    "lfGi0zMOoKIEryz5xWhgrEPLqfS25ftgPzSWijcUWNiY9nzbJLR1k6jQzPN8Ips3OgtADRw6Z/G83rmQU410oVKyWmARMsIXqkdP7w3nSh4WMj",
    "TFBEKlJU7vbHI9g0wPJVHM1PMudIzdwh5xyAnHC1ZS/8FmEjWzhXwGt9YdgRo+2NS09GIXcMWhBS0ZKC47zFhLXU+d9yZ3OIsXNoE0qTbUTait",
    "3YQND/KIImlA2gTcXSpPRYeN+h5HJjjq0ZU6tfkdFPnSricfirJeyWtgOByPfhVh3dnFqGRiKqRL3yM5l+EplIXdVqkXLwIDAQABMA0GCSqGSI",
    "b3DQEBCwUAA4IBAQCo2TPQJomintvlltz8JLS7TYAx32p40ZRg/Oooekpd0f21jkOIQbMGWRVU7xC5VcBtnBUq73vdIekiNJlvr8j9mDCpGne9",
    "3QRmQawnd0+U4k/swwnF0YW771FmeMdAWT9pBrMMn869YpQnL5/a7rjt+/lLCDydd/LJjPYp35AYCVGJ0JmQ/Dnj0ZCkFmY1UCO4XXjEAXTUdb",
    "ruRxl09ODP+VbJ+YDPMdP4/ucUCjryVpQimQ2XDqkgq8QnqW1KqCu0DWtatVuOtZU7PHHDsIYQC+C+82OdqGy/jwtNrAD/vD7Q+VmEiseu/eVh",
    "PHQpPFWTxFMaRe11i/raOjTpkATE",
);
/// Subject `CN=ed`, key Ed25519.
const ED: &str = concat!(
    "MIHWMIGJAhRs5aItTOrH56lyoaysLgjRkQH1eTAFBgMrZXAwDTELMAkGA1UEAwwCZWQwIBcNMjYxMjAxMDg1OTQ2WhgPMjEyNjExMDcwODU5ND",
    "ZaMA0xCzAJBgNVBAMMAmVkMCowBQYDK2VwAyEAa63Zt3Ouqpa05FBEgYp/lRei9wg679lMkhhMMHv7ulswBQYDK2VwA0EA4JrRo4XjV549i3mO",
    "Vbssr06DtVMnyjs+1+1Y4RkBAA/YtGLGsYq1RBDq/4jEi/FrZ2SAJcNKx68tX+dyBWnjBQ==",
);

pub fn der(text: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(text).unwrap()
}

fn dn(text: &str) -> Option<String> {
    Kind::SubjectDn.registered(text)
}

#[test]
fn the_examples_of_rfc_4514_are_names() {
    let net = |last: Value| {
        json!([["0.9.2342.19200300.100.1.25=net"], ["0.9.2342.19200300.100.1.25=example"], last]).to_string()
    };
    // §4.
    for (text, last) in [
        ("UID=jsmith,DC=example,DC=net", json!(["0.9.2342.19200300.100.1.1=jsmith"])),
        ("OU=Sales+CN=J.  Smith,DC=example,DC=net", json!(["2.5.4.11=sales", "2.5.4.3=j. smith"])),
        (r#"CN=James \"Jim\" Smith\, III,DC=example,DC=net"#, json!(["2.5.4.3=james \"jim\" smith, iii"])),
        (r"CN=Before\0dAfter,DC=example,DC=net", json!(["2.5.4.3=before after"])),
    ] {
        assert_eq!(dn(text), Some(net(last)), "{text}");
    }
    for (text, name) in [
        // Not a text but four bytes.
        ("1.3.6.1.4.1.1466.0=#04024869", json!([["1.3.6.1.4.1.1466.0#04024869"]])),
        (r"CN=Lu\C4\8Di\C4\87", json!([["2.5.4.3=lučić"]])),
        // §2.4
        (r"CN=\#1\ ", json!([["2.5.4.3=#1"]])),
        (r"CN=a=b\=c\\", json!([["2.5.4.3=a=b=c\\"]])),
        ("CN=", json!([["2.5.4.3="]])),
    ] {
        assert_eq!(dn(text), Some(name.to_string()), "{text}");
    }
}

#[test]
fn every_short_name_of_rfc_4514_is_the_type_it_names() {
    for (short, oid) in [
        ("CN", "2.5.4.3"),
        ("L", "2.5.4.7"),
        ("ST", "2.5.4.8"),
        ("O", "2.5.4.10"),
        ("OU", "2.5.4.11"),
        ("C", "2.5.4.6"),
        ("STREET", "2.5.4.9"),
        ("DC", "0.9.2342.19200300.100.1.25"),
        ("UID", "0.9.2342.19200300.100.1.1"),
        ("emailAddress", "1.2.840.113549.1.9.1"),
        ("serialNumber", "2.5.4.5"),
    ] {
        for written in [short.to_owned(), short.to_lowercase(), short.to_uppercase(), oid.to_owned()] {
            assert_eq!(dn(&format!("{written}=x")), Some(json!([[format!("{oid}=x")]]).to_string()), "{written}");
        }
    }
}

#[test]
fn equal_names_are_equal_and_others_are_not() {
    let name = "CN=Client One+OU=Sales,O=Straße,C=DE";
    for same in [
        "cn=client one+ou=SALES,o=STRASSE,c=de",
        "OU=Sales+CN=Client One,O=Straße,C=DE",
        " CN = Client   One + OU = Sales , O = Straße , C = DE ",
        r"CN=Client\20One+OU=Sales,O=Stra\C3\9Fe,C=DE",
        "2.5.4.3=#0c0a436c69656e74204f6e65+2.5.4.11=#130553616c6573,O=Straße,C=DE",
        "CN=Ｃlient\u{a0}One+OU=Sales,O=Straße,C=DE",
        // A BMPString.
        "CN=#1e140043006c00690065006e00740020004f006e0065+OU=Sales,O=Straße,C=DE",
    ] {
        assert_eq!(dn(same), dn(name), "{same}");
    }
    for other in [
        "C=DE,O=Straße,CN=Client One+OU=Sales",
        "CN=Client One,OU=Sales,O=Straße,C=DE",
        "CN=Client One+OU=Sales+L=x,O=Straße,C=DE",
        "CN=Client One,O=Straße,C=DE",
        "O=Straße,C=DE",
        "CN=Client One+OU=Sales,O=Straße",
        "CN=ClientOne+OU=Sales,O=Straße,C=DE",
        "OU=Client One+CN=Sales,O=Straße,C=DE",
        r"CN=Client One\+OU=Sales,O=Straße,C=DE",
        r"CN=Client One\00+OU=Sales,O=Straße,C=DE",
        "CN=#040a436c69656e74204f6e65+OU=Sales,O=Straße,C=DE",
    ] {
        assert!(dn(other).is_some() && dn(other) != dn(name), "{other}");
    }
}

#[test]
fn what_is_no_name_is_none() {
    for text in [
        "",
        " ",
        "CN",
        "=x",
        "CN=x,",
        ",CN=x",
        "CN=x+",
        "CN=x,,O=y",
        "CN=\"x\"",
        "CN=x;O=y",
        "CN=<x>",
        r"CN=\",
        r"CN=\q",
        r"CN=\c3",
        r"CN=\0",
        "CN=#",
        "CN=#1",
        "CN=#0c0161 x",
        "CN=#0c0261",
        "CN=#0c016100",
        "Unheard=x",
        "2.5.4.=x",
        "1=x",
        "9.9.9=x",
        "/C=DE/CN=x",
    ] {
        assert_eq!(dn(text), None, "{text}");
    }
    for (kind, text) in [
        (Kind::SanDns, ""),
        (Kind::SanDns, "*.example"),
        (Kind::SanDns, "a b"),
        (Kind::SanDns, "müller.example"),
        (Kind::SanUri, "no-uri"),
        (Kind::SanIp, "192.0.2"),
        (Kind::SanIp, "192.0.2.0/24"),
        (Kind::SanEmail, "nobody"),
        (Kind::SanEmail, "@a.example"),
        (Kind::SanEmail, "a@"),
    ] {
        assert_eq!(kind.registered(text), None, "{text}");
    }
}

#[test]
fn a_certificate_says_whose_it_is() {
    let dn = r"emailAddress=ops@example.org,CN=J. Smith+OU=Sales,O=Müller \, Sons,C=DE";
    let names = |kind: Kind, names: &[&str]| names.iter().map(|name| kind.registered(name).unwrap()).collect::<Value>();
    let expected = json!({
        "tls_client_auth_subject_dn": names(Kind::SubjectDn, &[dn]),
        "tls_client_auth_san_dns": names(Kind::SanDns, &["client.example", "SECOND.example"]),
        "tls_client_auth_san_uri": names(Kind::SanUri, &["spiffe://example.org/ns/Prod"]),
        "tls_client_auth_san_ip": names(Kind::SanIp, &["192.0.2.1", "2001:0DB8:0::1"]),
        "tls_client_auth_san_email": names(Kind::SanEmail, &["Ops@example.org"]),
        "not_before": 1_796_115_585_u64,
        "not_after": 4_949_715_585_u64,
    });
    assert_eq!(read(&der(FULL)), Some(expected));
    let rsa = read(&der(RSA)).unwrap();
    assert_eq!(rsa["tls_client_auth_subject_dn"], json!([Kind::SubjectDn.registered("CN=RSA").unwrap()]));
    assert_eq!(rsa["tls_client_auth_san_dns"], json!([]));
}

#[test]
fn what_is_not_one_certificate_is_none() {
    let good = der(FULL);
    let longer = [good.as_slice(), &[0]].concat();
    let twice = [good.as_slice(), &good].concat();
    for bad in [&[][..], b"x", &[0x30, 0x00], &good[1..], &good[..good.len() - 1], &longer, &twice, &[0x30; 9000]] {
        assert_eq!(read(bad), None, "{} bytes", bad.len());
        assert!(!published(bad, &json!({ "keys": [] })));
    }
}

#[test]
fn a_certificate_or_its_key_is_published_or_is_not() {
    let p256 = json!({
        "kty": "EC", "crv": "P-256",
        "x": "8loWDcI6LstHckcbg_I4XW2TR84HUonyeM00kE_jBTE", "y": "QQVMOyjIYj8SAa13_OSZSMuJR3S9T8YMUrVzPVvYb50",
    });
    let ed = json!({ "kty": "OKP", "crv": "Ed25519", "x": "a63Zt3Ouqpa05FBEgYp_lRei9wg679lMkhhMMHv7uls" });
    let n = concat!(
        "0pISz_FT8TMvKMPBVD1KTiFZzHLmlfGi0zMOoKIEryz5xWhgrEPLqfS25ftgPzSWijcUWNiY9nzbJLR1k6jQzPN8Ips3OgtADRw6",
        "Z_G83rmQU410oVKyWmARMsIXqkdP7w3nSh4WMjTFBEKlJU7vbHI9g0wPJVHM1PMudIzdwh5xyAnHC1ZS_8FmEjWzhXwGt9YdgRo-",
        "2NS09GIXcMWhBS0ZKC47zFhLXU-d9yZ3OIsXNoE0qTbUTait3YQND_KIImlA2gTcXSpPRYeN-h5HJjjq0ZU6tfkdFPnSricfirJe",
        "yWtgOByPfhVh3dnFqGRiKqRL3yM5l-EplIXdVqkXLw",
    );
    let rsa = json!({ "kty": "RSA", "e": "AQAB", "n": n });
    let all = [(FULL, &p256), (RSA, &rsa), (ED, &ed)];
    for (certificate, key) in all {
        for (other, of_other) in all {
            assert_eq!(published(&der(certificate), &json!({ "keys": [1, of_other] })), other == certificate, "{key}");
        }
        let with = |name: &str, value: Value| {
            let mut key = key.clone();
            key[name] = value;
            published(&der(certificate), &json!({ "keys": [key] }))
        };
        assert!(with("use", json!("sig")) && !with("use", json!("enc")) && !with("kty", json!("oct")));
        // Where there is a certificate it is that one, and not every certificate of the key.
        assert!(with("x5c", json!([certificate])) && with("x5c", json!([certificate, "x"])));
        for chain in [json!([ED, RSA, FULL]), json!([]), json!(certificate), json!([null]), json!(["x"]), json!(null)] {
            assert_eq!(with("x5c", chain.clone()), chain[0] == *certificate, "{chain}");
        }
    }
    assert!(published(&der(FULL), &json!({ "keys": [{ "kty": "AKP", "x5c": [FULL] }] })));
    for none in [json!({}), json!([]), json!({ "keys": {} }), json!({ "keys": [{}] }), json!(null)] {
        assert!(!published(&der(FULL), &none), "{none}");
    }
}
