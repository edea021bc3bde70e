//! Where pictures and files are that a request names.

use super::{CallResult, Content, Document, Image, Part, Request, Source};

impl Request {
    /// Every place of a picture or a file, in the order in which they are said.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        let parts = self.turns.iter().flat_map(|it| &it.parts);
        self.instructions.iter().chain(parts).flat_map(of_part)
    }

    /// The same, to be changed.
    pub fn sources_mut(&mut self) -> impl Iterator<Item = &mut Source> {
        let parts = self.turns.iter_mut().flat_map(|it| &mut it.parts);
        self.instructions.iter_mut().chain(parts).flat_map(of_part_mut)
    }
}

fn of_part(part: &Part) -> Vec<&Source> {
    match &part.content {
        Content::Image(Image { source, .. }) | Content::Document(Document { source, .. }) => {
            vec![source]
        }
        Content::Result(CallResult { parts, .. }) => parts.iter().flat_map(of_part).collect(),
        Content::Text(_)
        | Content::Refusal(_)
        | Content::Audio { .. }
        | Content::Thinking(_)
        | Content::Call(_) => Vec::new(),
    }
}

fn of_part_mut(part: &mut Part) -> Vec<&mut Source> {
    match &mut part.content {
        Content::Image(Image { source, .. }) | Content::Document(Document { source, .. }) => {
            vec![source]
        }
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
