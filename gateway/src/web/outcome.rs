//! The one table from outcomes and SQLSTATEs to OAuth errors.
