pub mod document;
pub mod input;
pub mod report;
pub mod rows;
