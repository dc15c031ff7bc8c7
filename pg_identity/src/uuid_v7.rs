//! UUID version 7 (RFC 9562 §5.7): ids that begin with their time, by which large tables are partitioned.

#[cfg(test)]
mod properties;

use std::cell::Cell;

use pgrx::datum::TimestampWithTimeZone;

use crate::clock;
use crate::errors::{Code, Error};
use crate::native::sql_function;
use crate::sealing::random;

thread_local! {
    /// The last time given out, in steps of 1/4096 ms, so that ids of one backend never go backwards.
    static LAST: Cell<i64> = const { Cell::new(0) };
}

/// The smallest id of a time: `steps` of 1/4096 ms since 1970, no random bits.
fn floor(steps: i64) -> [u8; 16] {
    let (milliseconds, fraction) = (steps >> 12, steps & 0xfff);
    // 48 bits of time, 4 of version, 12 of the fraction (RFC 9562 §6.2, method 3); then 2 of variant.
    let high = ((milliseconds as u64) << 16) | 0x7000 | fraction as u64;
    let mut bytes = [0; 16];
    let (first, last) = bytes.split_at_mut(8);
    first.copy_from_slice(&high.to_be_bytes());
    last.copy_from_slice(&(1_u64 << 63).to_be_bytes());
    bytes
}

/// Steps of 1/4096 ms since 1970: the resolution of our ids.
pub fn steps(microseconds: i64) -> i64 {
    ((microseconds.div_euclid(1_000)) << 12) | (microseconds.rem_euclid(1_000) * 4_096 / 1_000)
}

/// When an id was made, in [`steps`]; `None` when it is not a UUID of version 7.
pub fn made_at(id: &str) -> Option<i64> {
    let high = u64::from_be_bytes(*uuid::Uuid::try_parse(id).ok()?.as_bytes().first_chunk()?);
    // 48 bits of time shifted by 12 leave the sign alone.
    ((high >> 12) & 0xf == 7).then_some(((high >> 16) << 12 | high & 0xfff) as i64)
}

/// A new id.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn next() -> Result<uuid::Uuid, Error> {
    let now = LAST.with(|last| {
        let now = steps(clock::wall_microseconds()).max(last.get() + 1);
        last.set(now);
        now
    });
    let mut id = floor(now);
    let noise: [u8; 8] = random()?;
    for (byte, noise) in id.iter_mut().skip(8).zip(noise) {
        *byte |= noise;
    }
    // The variant: 10.
    if let Some(byte) = id.get_mut(8) {
        *byte &= 0xbf;
    }
    Ok(uuid::Uuid::from_bytes(id))
}

sql_function! {
    /// `uuid_v7()`.
    fn uuid_v7() -> Result<pgrx::Uuid, Error> {
        next().map(|id| pgrx::Uuid::from_bytes(*id.as_bytes()))
    }
}

sql_function! {
    /// `uuid_v7_floor(at)`: the smallest id of the millisecond of `at`.
    fn uuid_v7_floor(at: TimestampWithTimeZone) -> Result<pgrx::Uuid, Error> {
        let milliseconds = i64::from(at).saturating_add(clock::POSTGRES_EPOCH).div_euclid(1_000);
        if !(0..1 << 48).contains(&milliseconds) {
            return Err(Error::new(Code::InvalidParameter, "at must lie between 1970 and 10889"));
        }
        Ok(pgrx::Uuid::from_bytes(floor(milliseconds << 12)))
    }
}

sql_function! {
    /// `uuid_v7_time(id)`: the millisecond of an id; NULL when its version is not 7.
    fn uuid_v7_time(id: pgrx::Uuid) -> Result<Option<TimestampWithTimeZone>, Error> {
        let high = u64::from_be_bytes(id.as_bytes().first_chunk().copied().unwrap_or_default());
        if (high >> 12) & 0xf != 7 {
            return Ok(None);
        }
        let microseconds = i64::try_from(high >> 16).unwrap_or_default() * 1_000 - clock::POSTGRES_EPOCH;
        TimestampWithTimeZone::try_from(microseconds).map(Some).map_err(|_| Error::new(Code::InvalidParameter, "id lies beyond the calendar"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_9562() {
        // RFC 9562 appendix A.6: 2022-02-22T19:22:22.000Z is 017F22E2-79B0-7...
        let id = floor(steps(1_645_557_742_000_000));
        assert_eq!(id[..7], [0x01, 0x7f, 0x22, 0xe2, 0x79, 0xb0, 0x70]);
        assert_eq!(id[8], 0x80);
    }

    #[test]
    fn an_id_says_when_it_was_made_and_other_versions_do_not() {
        let moment = steps(1_645_557_742_000_123);
        assert_eq!(made_at(&uuid::Uuid::from_bytes(floor(moment)).to_string()), Some(moment));
        for id in ["919108f7-52d1-4320-9bac-f847db4148a8", "017f22e2-79b0", "t-1", ""] {
            assert_eq!(made_at(id), None);
        }
    }
}
