pub mod document;
pub mod input;
pub mod load;
pub mod postgres;
pub mod report;
pub mod rows;
pub mod settings;
