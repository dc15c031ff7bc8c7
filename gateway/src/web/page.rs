//! Rendering of pages.
