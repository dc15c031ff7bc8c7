//! Ids begin with their time, in its order.

use proptest::prelude::*;

use super::{floor, steps};

proptest! {
    #[test]
    fn ids_are_ordered_as_their_times_are(one in 0..1_i64 << 57, other in 0..1_i64 << 57) {
        let (one, other) = (steps(one), steps(other));
        prop_assert_eq!(floor(one).cmp(&floor(other)), one.cmp(&other));
    }

    #[test]
    fn an_id_gives_back_its_millisecond(microseconds in 0..1_i64 << 57) {
        let id = floor(steps(microseconds));
        let high = u64::from_be_bytes(id[..8].try_into().unwrap());
        prop_assert_eq!((high >> 16) as i64, microseconds / 1_000);
        prop_assert_eq!((id[6] >> 4, id[8] >> 6), (7, 2));
    }
}
