//! Vectors of RFC 7516 and RFC 7518. Those of project Wycheproof: content/vectors.rs, management/vectors.rs.

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::content::fixed;
use super::management::{Info, derived};
use super::{Encryption, read};
use crate::sealing::Secret;

fn bytes(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn secret(bytes: &[u8]) -> Secret {
    Secret::new(bytes.try_into().unwrap())
}

#[test]
fn aes_128_cbc_hmac_sha_256_is_that_of_rfc_7518_appendix_b() {
    let key = secret(&(0..32).collect::<Vec<u8>>());
    let plain = b"A cipher system must not be required to be secret, and it must be able to fall into the hands of the enemy without inconvenience";
    let associated = b"The second principle of Auguste Kerckhoffs";
    let iv = hex("1af38c2dc2b96ffdd86694092341bc04");
    let text = hex(
        "c80edfa32ddf39d5ef00c0b468834279a2e46a1b8049f792f76bfe54b903a9c9a94ac9b47ad2655c5f10f9aef71427e2fc6f9b3f399a221489f16362c7032336
         09d45ac69864e3321cf82935ac4096c86e133314c54019e8ca7980dfa4b9cf1b384c486f3a54c51078158ee5d79de59fbd34d848b3d69550a67646344427ade5
         4b8851ffb598f7f80074b9473c82e2db",
    );
    let tag = hex("652c3fa36b0a7c5b3219fab3a30bc1c4");
    let sealed = fixed::seal(&key, iv.clone().try_into().unwrap(), associated, plain);
    assert_eq!((&sealed.text, &sealed.tag), (&text, &tag));
    let opened = Encryption::A128CbcHs256.open(&key, associated, &iv, &text, &tag).unwrap();
    assert_eq!(opened.as_slice(), plain);
}

#[test]
fn the_agreed_key_is_that_of_rfc_7518_appendix_c() {
    let alice =
        PrivateKey::from_private_key(&ECDH_P256, &bytes("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo")).unwrap();
    let bob = [
        &[4][..],
        &bytes("weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ"),
        &bytes("e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"),
    ]
    .concat();
    let info = Info { algorithm: "A128GCM", apu: b"Alice", apv: b"Bob" };
    let key =
        agree(&alice, UnparsedPublicKey::new(&ECDH_P256, bob), (), |shared| Ok(derived(shared, &info, 128))).unwrap();
    assert_eq!(key[..16], bytes("VqqN6vgjbSBcIijNcacQGg"));
}

#[test]
fn a256gcm_and_a128cbc_hs256_open_the_examples_of_rfc_7516() {
    // Appendix A.1
    let key = secret(&[
        177, 161, 244, 128, 84, 143, 225, 115, 63, 180, 3, 255, 107, 154, 212, 246, 138, 7, 110, 91, 112, 46, 34, 105,
        47, 130, 203, 46, 122, 234, 64, 252,
    ]);
    let opened = Encryption::A256Gcm.open(
        &key,
        b"eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ",
        &bytes("48V1_ALb6US04U3b"),
        &bytes("5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A"),
        &bytes("XFBoMYUZodetZdvTiFvSkQ"),
    );
    assert_eq!(opened.unwrap().as_slice(), b"The true sign of intelligence is not knowledge but imagination.");
    // Appendix A.3
    let key = secret(&[
        4, 211, 31, 197, 84, 157, 252, 254, 11, 100, 157, 250, 63, 170, 106, 206, 107, 124, 212, 45, 111, 107, 9, 219,
        200, 177, 0, 240, 143, 156, 44, 207,
    ]);
    let opened = Encryption::A128CbcHs256.open(
        &key,
        b"eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0",
        &bytes("AxY8DCtDaGlsbGljb3RoZQ"),
        &bytes("KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY"),
        &bytes("U0m_YmjN04DJvceFICbCVQ"),
    );
    assert_eq!(opened.unwrap().as_slice(), b"Live long and prosper.");
}

#[test]
fn algorithms_of_other_people_are_none_of_ours() {
    // RFC 7516 §A.1 to §A.3: RSA-OAEP with SHA-1, RSA1_5, A128KW.
    for header in [
        "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ",
        "eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0",
        "eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0",
    ] {
        assert!(read(&format!("{header}.AAAA.AAAA.AAAA.AAAA")).is_none(), "{header}");
    }
}
