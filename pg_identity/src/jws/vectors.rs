//! The examples of RFC 7515 appendix A and RFC 8037 appendix A, read and verified as tokens are.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::read;
use crate::errors::Code;
use crate::jwk::{Algorithm, with_parsed};

const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn members(key: Value) -> Map<String, Value> {
    key.as_object().unwrap().clone()
}

/// Whether the key made the signature of this compact JWS, whatever its payload is.
fn made(jwk: Value, algorithm: &str, token: &str) -> bool {
    let (signing_input, signature) = token.rsplit_once('.').unwrap();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    let algorithm = Algorithm::named(algorithm).unwrap();
    let stored = jwk.to_string();
    with_parsed(
        stored.as_bytes(),
        algorithm,
        || Some(members(jwk)),
        |key| key.made(token, signing_input.as_bytes(), &signature),
    )
    .unwrap()
}

/// RFC 7515 §A.2
fn rsa() -> Value {
    json!({ "kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ" })
}
const RS256: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

/// RFC 7515 §A.3
fn p256() -> Value {
    json!({ "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" })
}
const ES256: &str = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

#[test]
fn rfc_7515_a_2_and_a_3_are_read_and_verified() {
    for (header, algorithm, jwk, signature) in
        [("eyJhbGciOiJSUzI1NiJ9", "RS256", rsa(), RS256), ("eyJhbGciOiJFUzI1NiJ9", "ES256", p256(), ES256)]
    {
        let token = format!("{header}.{PAYLOAD}.{signature}");
        let jws = read(&token).ok().unwrap();
        assert_eq!(
            (jws.header.algorithm.as_str(), jws.header.typ.as_deref(), jws.header.kid.as_deref()),
            (algorithm, None, None)
        );
        assert_eq!(
            Value::Object(jws.claims),
            json!({ "iss": "joe", "exp": 1_300_819_380, "http://example.com/is_root": true })
        );
        assert!(made(jwk.clone(), algorithm, &token));
        // iss: "joe" → "jom"
        let forged = format!("{header}.{}.{signature}", PAYLOAD.replacen("b2Ui", "b20i", 1));
        assert_ne!(forged, token);
        assert!(!made(jwk, algorithm, &forged));
    }
}

#[test]
fn rfc_7515_a_4_is_verified() {
    let jwk = json!({ "kty": "EC", "crv": "P-521",
        "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
        "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2" });
    let token = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
    assert!(made(jwk, "ES512", token));
    // Its payload is "Payload", which is no claims.
    assert_eq!(read(token).err().unwrap().code, Code::TokenMalformed);
}

#[test]
fn rfc_7515_a_1_and_a_5_name_algorithms_that_we_do_not_have() {
    let hmac =
        format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let none = format!("eyJhbGciOiJub25lIn0.{PAYLOAD}.");
    for (token, name) in [(hmac, "HS256"), (none, "none")] {
        let jws = read(&token).ok().unwrap();
        assert_eq!(jws.header.algorithm, name);
        assert!(Algorithm::named(&jws.header.algorithm).is_none());
    }
}

#[test]
fn rfc_7515_a_6_is_another_serialization() {
    let general = format!(
        r#"{{"payload":"{PAYLOAD}","signatures":[{{"protected":"eyJhbGciOiJSUzI1NiJ9","header":{{"kid":"2010-12-29"}},"signature":"{RS256}"}}]}}"#
    );
    let flattened = format!(r#"{{"payload":"{PAYLOAD}","protected":"eyJhbGciOiJFUzI1NiJ9","signature":"{ES256}"}}"#);
    for token in [general, flattened] {
        assert_eq!(read(&token).err().unwrap().code, Code::TokenMalformed);
    }
}

#[test]
fn rfc_7515_appendix_c_is_our_base64url() {
    assert_eq!(super::base64url("A-z_4ME").ok().unwrap(), [3, 236, 255, 224, 193]);
}

#[test]
fn rfc_8037_a_4_is_verified() {
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert!(made(jwk.clone(), "EdDSA", token));
    assert!(!made(jwk, "EdDSA", &token.replace("RXhh", "RXhi")));
}
