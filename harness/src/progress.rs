//! What a person sees while something takes long. On a terminal: bars. Elsewhere: one line per step.

use std::{borrow::Cow, io, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::interrupt;

/// Columns of a terminal that does not tell.
const COLUMNS: u16 = 80;

/// The display. Clones share it.
#[derive(Debug, Clone)]
pub struct Progress {
    bars: MultiProgress,
    mute: bool,
}

impl Progress {
    /// Bars on standard error when that is a terminal.
    pub fn new() -> Self {
        let progress = Self { bars: MultiProgress::new(), mute: false };
        interrupt::say_by({
            let progress = progress.clone();
            move |line| progress.say(line)
        });
        progress
    }

    /// Shows nothing; for tests.
    pub fn hidden() -> Self {
        Self { bars: MultiProgress::with_draw_target(indicatif::ProgressDrawTarget::hidden()), mute: true }
    }

    /// A line that stays, above the bars.
    pub fn say(&self, line: impl AsRef<str>) {
        if self.mute {
            return;
        }
        if self.bars.is_hidden() {
            anstream::eprintln!("{}", line.as_ref());
        } else {
            let _ = self.bars.println(line);
        }
    }

    /// A bar that counts `total` bytes. It goes away when finished or dropped.
    pub fn bytes(&self, label: impl Into<Cow<'static, str>>, total: u64) -> ProgressBar {
        self.bar(ProgressBar::new(total), "{msg:28} {bar:30} {bytes:>10}/{total_bytes:10} {bytes_per_sec}", label)
    }

    /// A bar that counts `total` things.
    pub fn count(&self, label: impl Into<Cow<'static, str>>, total: u64) -> ProgressBar {
        self.bar(ProgressBar::new(total), "{msg:28} {bar:30} {pos:>4}/{len:4} {elapsed}", label)
    }

    /// A spinner for work of unknown length.
    pub fn spinner(&self, label: impl Into<Cow<'static, str>>) -> ProgressBar {
        self.ticking("{msg:28} {spinner} {elapsed}", label)
    }

    /// The same with a text of several lines, none of which is longer than [`columns`].
    pub fn status(&self, text: impl Into<Cow<'static, str>>) -> ProgressBar {
        self.ticking("{spinner} {elapsed} {msg}", text)
    }

    fn ticking(&self, template: &str, label: impl Into<Cow<'static, str>>) -> ProgressBar {
        let bar = self.bar(ProgressBar::new_spinner(), template, label);
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }

    fn bar(&self, bar: ProgressBar, template: &str, label: impl Into<Cow<'static, str>>) -> ProgressBar {
        let style = ProgressStyle::with_template(template).expect("the templates above are well formed");
        let bar = self.bars.add(bar.with_style(style).with_finish(indicatif::ProgressFinish::AndClear));
        bar.set_message(label);
        bar
    }
}

/// Columns of the terminal on standard error.
pub fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok();
    size.map(|size| size.ws_col).filter(|columns| *columns > 0).unwrap_or(COLUMNS).into()
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}
