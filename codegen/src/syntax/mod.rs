//! What the user wrote, as trees with their tokens' places. Knows no layer names.

pub mod function;
