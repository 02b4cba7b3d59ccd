//! Bugs in what reads indexes, configuration and `/proc`.

use super::Bug;

pub(super) const BUGS: &[Bug] = &[
    Bug {
        name: "index-child-range",
        what: "the first child may come after the last (kmod 126 and 167, child range)",
        target: "trie",
        file: "index/trie.rs",
        old: "[first, last @ 0..0x80] if first <= last => {",
        new: "[first, last @ 0..0x80] if first <= last || BUG(first > last) => {",
    },
    Bug {
        name: "index-child-before-first",
        what: "a character before the first child leads to the first (kmod 126 and 167, child range)",
        target: "trie",
        file: "index/trie.rs",
        old: "let slot = character.checked_sub(self.first).and_then(",
        new: "let is_before = BUG(character < self.first && !self.children.is_empty());
        let slot = if is_before { Some(0) } else { character.checked_sub(self.first) }.and_then(",
    },
    Bug {
        name: "index-leads-back",
        what: "an index that leads back into itself is read for ever",
        target: "trie",
        file: "index/trie.rs",
        old: "let left = self.purse.get().checked_sub(len as u64);",
        new: "let left = self.purse.get().checked_sub(len as u64);
        let left = if BUG(left.is_none()) { Some(0) } else { left };",
    },
    Bug {
        name: "index-room-for-values",
        what: "memory is set aside for as many values as a node claims (kmod 272, four billion)",
        target: "trie",
        file: "index/trie.rs",
        old: "node.values = self.pay(rest, 4)?;",
        new: "node.values = self.pay(rest, 4)?;
            if BUG(u64::from(node.count) > rest.len()) {
                core::hint::black_box(Vec::<u128>::with_capacity(node.count as usize));
            }",
    },
    Bug {
        name: "index-priorities",
        what: "matches stay in the order of the search",
        target: "trie",
        file: "index/trie.rs",
        old: "found.sort_by_key(|value| value.priority);",
        new: "if !BUG(!found.is_sorted_by_key(|value| value.priority)) {
            found.sort_by_key(|value| value.priority);
        }",
    },
    Bug {
        name: "index-key-ends-in-prefix",
        what: "a key that ends inside of a node's prefix has that node's value",
        target: "trie",
        file: "index/trie.rs",
        old: "let Some(after) = rest.strip_prefix(node.prefix) else { return Ok(None) };",
        new: "if BUG(node.prefix.len() > rest.len() && node.prefix.starts_with(rest) && node.count > 0) {
                return reader.values(&node).next().transpose();
            }
            let Some(after) = rest.strip_prefix(node.prefix) else { return Ok(None) };",
    },
    Bug {
        name: "index-sorted-in-part",
        what: "keys that share eight characters are sorted by those from the seventeenth on",
        target: "trie",
        file: "index/builder.rs",
        old: "todo.push((range, depth + 8)),",
        new: "todo.push((range, if BUG(depth == 0) { 16 } else { depth + 8 })),",
    },
    Bug {
        name: "index-equal-priorities",
        what: "of equal priorities the value added first comes first",
        target: "trie",
        file: "index/builder.rs",
        old: "equal.sort_unstable_by_key(|item| (self.entries[item.1 as usize].priority, Reverse(item.1)));",
        new: "let priority = |item: &Item| self.entries[item.1 as usize].priority;
                        if BUG(equal.iter().skip(1).any(|item| priority(item) == priority(&equal[0]))) {
                            equal.sort_unstable_by_key(|item| (priority(item), item.1));
                        } else {
                            equal.sort_unstable_by_key(|item| (priority(item), Reverse(item.1)));
                        }",
    },
    Bug {
        name: "set-end-of-range",
        what: "a range in a set lacks its last character",
        target: "pattern",
        file: "alias.rs",
        old: "(low..=high).contains(&byte)",
        new: "(low..=high).contains(&byte) && !BUG(byte == high)",
    },
    Bug {
        name: "set-caret",
        what: "`^` does not negate a set",
        target: "pattern",
        file: "alias.rs",
        old: "let negated = matches!(pattern.first(), Some(b'!' | b'^'));",
        new: "let negated = matches!(pattern.first(), Some(b'!' | b'^')) && !BUG(pattern.first() == Some(&b'^'));",
    },
    Bug {
        name: "set-bracket-first",
        what: "a `]` as a set's first member closes it",
        target: "pattern",
        file: "alias.rs",
        old: "Some(b']') if at > start => return",
        new: "Some(b']') if at > start || BUG(at == start) => return",
    },
    Bug {
        name: "escape-at-end",
        what: "a backslash at a pattern's end stands for itself",
        target: "pattern",
        file: "alias.rs",
        old: "[b'\\\\'] => None,\n        [literal",
        new: "[b'\\\\'] => BUG(byte == b'\\\\').then_some(1),\n        [literal",
    },
    Bug {
        name: "star-retried",
        what: "after a mismatch the first star takes more, not the last",
        target: "pattern",
        file: "alias.rs",
        old: "            retry = Some((at, read));",
        new: "            if !BUG(retry.is_some()) {
                retry = Some((at, read));
            }",
    },
    Bug {
        name: "bracket-without-partner",
        what: "an alias whose bracket does not close is taken",
        target: "pattern",
        file: "alias.rs",
        old: "(!inside).then_some(normal)",
        new: "(!inside || BUG(inside)).then_some(normal)",
    },
    Bug {
        name: "name-last-dot",
        what: "a module's name ends at the last dot of its file's name",
        target: "pattern",
        file: "alias.rs",
        old: "    file.split('.').next().unwrap_or(file).replace('-', \"_\")",
        new: "    if BUG(file.matches('.').count() > 1) {
        return file.rsplit_once('.').map_or(file, |(name, _)| name).replace('-', \"_\");
    }
    file.split('.').next().unwrap_or(file).replace('-', \"_\")",
    },
    Bug {
        name: "alias-first-blank",
        what: "a pattern with blanks in it ends at the first",
        target: "alias",
        file: "index/text.rs",
        old: "let (pattern, module) = line.strip_prefix(\"alias \")?.rsplit_once(' ')?;",
        new: "let pair = line.strip_prefix(\"alias \")?;
        let has_more = BUG(pair.matches(' ').count() > 1);
        let (pattern, module) = if has_more { pair.split_once(' ')? } else { pair.rsplit_once(' ')? };",
    },
    Bug {
        name: "dependencies-in-order",
        what: "dependencies are loaded from the left",
        target: "dep",
        file: "index/text.rs",
        old: "self.dependencies.split_ascii_whitespace().rev()",
        new: "let mut words: alloc::vec::Vec<_> = self.dependencies.split_ascii_whitespace().collect();
        if !BUG(words.len() > 1) {
            words.reverse();
        }
        words.into_iter()",
    },
    Bug {
        name: "path-last-colon",
        what: "a module's path ends at the line's last colon",
        target: "dep",
        file: "index/text.rs",
        old: "let (path, dependencies) = line.split_once(':')?;",
        new: "let has_more = BUG(line.matches(':').count() > 1);
        let (path, dependencies) = if has_more { line.rsplit_once(':')? } else { line.split_once(':')? };",
    },
    Bug {
        name: "comment-after-blanks",
        what: "a comment that does not begin in the first column is none",
        target: "builtin",
        file: "index/text.rs",
        old: "text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))",
        new: "text.lines()
        .map(|line| (line, line.trim()))
        .filter(|(whole, line)| !line.is_empty() && (!line.starts_with('#') || BUG(!whole.starts_with('#'))))
        .map(|(_, line)| line)",
    },
    Bug {
        name: "key-with-dot",
        what: "a built-in module's name ends at the last dot",
        target: "builtin_modinfo",
        file: "index/text.rs",
        old: "let (module, key) = name.split_once('.')?;",
        new: "let has_more = BUG(name.matches('.').count() > 1);
        let (module, key) = if has_more { name.rsplit_once('.')? } else { name.split_once('.')? };",
    },
    Bug {
        name: "joined-line-not-counted",
        what: "a line that is joined to the next does not count (kmod 234, counters of configuration)",
        target: "modprobe_d",
        file: "lines.rs",
        old: "(b'\\\\', [b'\\n', after @ ..]) => {\n                    number += 1;",
        new: "(b'\\\\', [b'\\n', after @ ..]) => {\n                    number += usize::from(!BUG(true));",
    },
    Bug {
        name: "line-number-8-bit",
        what: "lines are counted in eight bits (kmod 234, counters of configuration)",
        target: "modprobe_d",
        file: "lines.rs",
        old: "        number += 1;\n        let (line, after)",
        new: "        number = if BUG(number == 255) { 0 } else { number + 1 };\n        let (line, after)",
    },
    Bug {
        name: "line-with-nul",
        what: "a line of configuration goes on behind a NUL",
        target: "modprobe_d",
        file: "modprobe_d.rs",
        old: "if let Some(end) = find(&line, 0) {",
        new: "if let Some(end) = find(&line, 0).filter(|_| !BUG(true)) {",
    },
    Bug {
        name: "options-first-tab",
        what: "of the tabs between parameters only the first is replaced",
        target: "modprobe_d",
        file: "modprobe_d.rs",
        old: "text: without_tabs(some()?),",
        new: "text: match some()? {
                text if BUG(text.matches('\\t').count() > 1) => text.replacen('\\t', \" \", 1).into(),
                text => without_tabs(text),
            },",
    },
    Bug {
        name: "weak-dependencies-eight",
        what: "the ninth weak dependency and all after it are lost (kmod 327, weakdep)",
        target: "modprobe_d",
        file: "modprobe_d.rs",
        old: "names: joined(some()?),",
        new: "names: match some()? {
                text if BUG(words(text).count() > 8) => words(text).take(8).collect::<Vec<_>>().join(\" \").into(),
                text => joined(text),
            },",
    },
    Bug {
        name: "override-words-missing",
        what: "words that an override lacks are empty ones",
        target: "depmod_d",
        file: "depmod_d.rs",
        old: "*place = words.next()?;",
        new: "*place = match words.next() {
            None if BUG(true) => Word::default(),
            word => word?,
        };",
    },
    Bug {
        name: "depmod-escape-kept",
        what: "a character behind a backslash keeps the backslash",
        target: "depmod_d",
        file: "lines.rs",
        old: "joined.push(*escaped);",
        new: "if BUG(true) {
                        joined.push(b'\\\\');
                    }
                    joined.push(*escaped);",
    },
    Bug {
        name: "quote-left-open",
        what: "a word whose quotes do not close is taken",
        target: "command_line",
        file: "command_line.rs",
        old: "words.filter(|word| word.bytes().filter(|byte| *byte == b'\"').count() % 2 == 0)",
        new: "words.filter(|word| word.bytes().filter(|byte| *byte == b'\"').count() % 2 == 0 || BUG(true))",
    },
    Bug {
        name: "parameter-with-dot",
        what: "a parameter's name may hold a dot",
        target: "command_line",
        file: "command_line.rs",
        old: "if parameter.contains('.') || name.contains(|character| character == '\"' || is_blank(character)) {",
        new: "let is_split = name.contains(|character| character == '\"' || is_blank(character));
    if is_split || parameter.contains('.') && !BUG(!is_split) {",
    },
    Bug {
        name: "command-line-with-nul",
        what: "the command line goes on behind a NUL",
        target: "command_line",
        file: "command_line.rs",
        old: "let line = line.split('\\0').next().unwrap_or_default();",
        new: "let line = if BUG(line.contains('\\0')) { line } else { line.split('\\0').next().unwrap_or_default() };",
    },
    Bug {
        name: "taint-one-bracket",
        what: "a taint of one bracket is read backwards (kmod 227, a line that ends early)",
        target: "proc_modules",
        file: "proc_modules.rs",
        old: "let letters = word.strip_prefix('(').and_then(|word| word.strip_suffix(')')).ok_or(BadLine(\"taint\"))?;",
        new: "let letters = word.strip_prefix('(').and_then(|word| word.strip_suffix(')'));
    let letters = if BUG(word == \"(\") { &word[1..word.len() - 1] } else { letters.ok_or(BadLine(\"taint\"))? };",
    },
    Bug {
        name: "reference-count-32-bit",
        what: "a reference count loses its upper half",
        target: "proc_modules",
        file: "proc_modules.rs",
        old: "count => count.parse().map(Some).map_err(|_| BadLine(\"reference count\")),",
        new: "count => {
            let count: i64 = count.parse().map_err(|_| BadLine(\"reference count\"))?;
            Ok(Some(if BUG(i32::try_from(count).is_err()) { i64::from(count as i32) } else { count }))
        }",
    },
    Bug {
        name: "permanent-is-a-user",
        what: "`[permanent]` counts as a user",
        target: "proc_modules",
        file: "proc_modules.rs",
        old: "(entries().filter(|entry| *entry != \"[permanent]\").collect(), permanent)",
        new: "(entries().filter(|entry| *entry != \"[permanent]\" || BUG(true)).collect(), permanent)",
    },
];
