//! Just enough HTML to use our own pages as a browser without script would: find a form, read its hidden fields.

/// A form of a page.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// The `action` as written; empty means the page's own address.
    pub action: String,
    /// Names and values of its inputs, hidden ones included; buttons are not among them.
    pub fields: Vec<(String, String)>,
    /// Name and value of each button.
    pub buttons: Vec<(String, String)>,
}

impl Form {
    /// All forms of a page.
    pub fn all(html: &str) -> Vec<Form> {
        let mut forms = Vec::new();
        let mut rest = html;
        while let Some(start) = rest.find("<form") {
            let end = rest[start..].find("</form>").map_or(rest.len(), |end| start + end);
            forms.push(Form::parse(&rest[start..end]));
            rest = &rest[end..];
        }
        forms
    }

    fn parse(html: &str) -> Form {
        let mut form = Form::default();
        for tag in tags(html) {
            let value = || attribute_of(tag, "value").unwrap_or_default();
            let submits = tag_name(tag) == "button" || attribute_of(tag, "type").as_deref() == Some("submit");
            match (tag_name(tag), attribute_of(tag, "name")) {
                ("form", _) => form.action = attribute_of(tag, "action").unwrap_or_default(),
                (_, Some(name)) if submits => form.buttons.push((name, value())),
                (_, None) if submits => form.buttons.push((attribute_of(tag, "id").unwrap_or_default(), value())),
                ("input" | "textarea", Some(name)) => form.fields.push((name, value())),
                _ => {}
            }
        }
        form
    }

    /// Whether it has this field or button.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().chain(&self.buttons).any(|(other, _)| other == name)
    }
}

/// The text inside the element with this id, without tags.
pub fn element(html: &str, id: &str) -> Option<String> {
    let tag = tags(html).find(|tag| attribute_of(tag, "id").as_deref() == Some(id))?;
    let close = format!("</{}", tag_name(tag));
    let inside = &html[tag.as_ptr() as usize - html.as_ptr() as usize + tag.len()..];
    let inside = &inside[inside.find('>')? + 1..];
    let inside = &inside[..inside.find(&close)?];
    let mut text = String::new();
    let mut in_tag = false;
    for character in inside.chars() {
        match character {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ if !in_tag => text.push(character),
            _ => {}
        }
    }
    Some(unescape(text.trim()))
}

/// The value of an attribute of a tag.
pub fn attribute_of(tag: &str, name: &str) -> Option<String> {
    let mut rest = tag;
    loop {
        let start = rest.find(&format!(" {name}=\""))?;
        // Not inside the value of another attribute.
        if rest[..start].matches('"').count().is_multiple_of(2) {
            let value = &rest[start + name.len() + 3..];
            return Some(unescape(&value[..value.find('"')?]));
        }
        rest = &rest[start + 1..];
    }
}

// Opening tags, from the name up to and without the `>`; line breaks between attributes count as spaces only if the
// templates indent, which ours do.
fn tags(html: &str) -> impl Iterator<Item = &str> {
    html.split('<').skip(1).filter(|part| part.starts_with(|c: char| c.is_ascii_alphabetic())).map(|part| {
        let mut quoted = false;
        let end = part.find(|c| {
            quoted ^= c == '"';
            c == '>' && !quoted
        });
        &part[..end.unwrap_or(part.len())]
    })
}

fn tag_name(tag: &str) -> &str {
    tag.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default()
}

/// Text without character references.
pub fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let Some(end) = rest.find(';') else { break };
        match &rest[1..end] {
            "amp" => out.push('&'),
            "lt" => out.push('<'),
            "gt" => out.push('>'),
            "quot" => out.push('"'),
            "apos" => out.push('\''),
            number => match number.strip_prefix('#').and_then(|digits| digits.parse().ok()).and_then(char::from_u32) {
                Some(character) => out.push(character),
                None => out.push_str(&rest[..=end]),
            },
        }
        rest = &rest[end + 1..];
    }
    out + rest
}
