pub mod document;
pub mod input;
