//! Where pictures and files are that a request names.

use super::{CallResult, Content, Document, Image, Part, Request, Source};

/// What a source is meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Medium {
    /// A picture.
    Image,
    /// A file that is read.
    Document,
}

impl Request {
    /// Every place of a picture or a file, in the order in which they are said.
    pub fn sources(&self) -> impl Iterator<Item = (Medium, &Source)> {
        let parts = self.turns.iter().flat_map(|it| &it.parts);
        self.instructions.iter().chain(parts).flat_map(of_part)
    }

    /// The same, to be changed.
    pub fn sources_mut(&mut self) -> impl Iterator<Item = (Medium, &mut Source)> {
        let parts = self.turns.iter_mut().flat_map(|it| &mut it.parts);
        self.instructions.iter_mut().chain(parts).flat_map(of_part_mut)
    }
}

fn of_part(part: &Part) -> Vec<(Medium, &Source)> {
    match &part.content {
        Content::Image(Image { source, .. }) => vec![(Medium::Image, source)],
        Content::Document(Document { source, .. }) => vec![(Medium::Document, source)],
        Content::Result(CallResult { parts, .. }) => parts.iter().flat_map(of_part).collect(),
        Content::Text(_)
        | Content::Refusal(_)
        | Content::Audio { .. }
        | Content::Thinking(_)
        | Content::Call(_) => Vec::new(),
    }
}

fn of_part_mut(part: &mut Part) -> Vec<(Medium, &mut Source)> {
    match &mut part.content {
        Content::Image(Image { source, .. }) => vec![(Medium::Image, source)],
        Content::Document(Document { source, .. }) => vec![(Medium::Document, source)],
        Content::Result(CallResult { parts, .. }) => {
            parts.iter_mut().flat_map(of_part_mut).collect()
        }
        Content::Text(_)
        | Content::Refusal(_)
        | Content::Audio { .. }
        | Content::Thinking(_)
        | Content::Call(_) => Vec::new(),
    }
}
