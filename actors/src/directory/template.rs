//! Whether a URI could come from a URI template (RFC 6570): used for routing, so every expression stands for any
//! text and only the literals between them count.

/// A parsed template.
#[derive(Clone, Debug)]
pub(super) struct Template {
    literals: Vec<String>,
}

impl Template {
    /// Reads a template; an unclosed brace is literal text.
    pub(super) fn new(text: &str) -> Self {
        let mut literals = vec![String::new()];
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((_, behind)) = after.split_once('}') else { break };
            if let Some(last) = literals.last_mut() {
                last.push_str(before);
            }
            literals.push(String::new());
            rest = behind;
        }
        if let Some(last) = literals.last_mut() {
            last.push_str(rest);
        }
        Template { literals }
    }

    /// Length of the literal text: the longer, the more specific.
    pub(super) fn literal_len(&self) -> usize {
        self.literals.iter().map(String::len).sum()
    }

    /// Whether `uri` is the template itself or could be made from it.
    pub(super) fn matches(&self, uri: &str) -> bool {
        let Some((first, others)) = self.literals.split_first() else { return false };
        let Some(mut rest) = uri.strip_prefix(first.as_str()) else { return false };
        let Some((last, middle)) = others.split_last() else { return rest.is_empty() };
        for literal in middle {
            let Some(at) = rest.find(literal.as_str()) else { return false };
            rest = &rest[at + literal.len()..];
        }
        rest.ends_with(last.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_decide() {
        let template = Template::new("demo://resource/{kind}/text/{id}.txt");
        assert!(template.matches("demo://resource/a/text/1.txt"));
        assert!(template.matches("demo://resource/{kind}/text/{id}.txt"));
        assert!(!template.matches("demo://resource/a/blob/1.txt"));
        assert!(!template.matches("demo://resource/a/text/1.bin"));
        assert!(Template::new("memo://insights").matches("memo://insights"));
        assert!(!Template::new("memo://insights").matches("memo://insights/2"));
        assert!(Template::new("a{b").matches("a{b"));
    }
}
