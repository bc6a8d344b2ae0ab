"""Talking to who sits at the terminal, or to nobody."""

import select
import sys
from getpass import getpass

from rich.console import Console
from rich.markup import escape
from rich.prompt import Confirm, Prompt

from ast_edge.base.printable import printable
from ast_edge.base.secret_values import masked
from ast_edge.doctor.finding import Finding


class Talk:
    """Says what is found, and asks where somebody can answer; else the default is the answer."""

    def __init__(self, *, asks: bool) -> None:
        self.asks = asks
        self.console = Console(highlight=False)

    def step(self, title: str) -> None:
        """Begin something new."""
        self.console.print(f"\n[bold]{escape(title)}[/]")

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(f"  {escape(printable(masked(text)))}", soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print a line that should be seen."""
        self.console.print(f"  [yellow]{escape(printable(masked(text)))}[/]", soft_wrap=True)

    def tell(self, finding: Finding) -> None:
        """Print what an examination found."""
        line = f"{finding.step}: {finding.text}"
        (self.say if finding.well else self.warn)(line)
        if finding.remedy:
            self.say(f"→ {finding.remedy}")

    def ask(self, question: str, default: str) -> str:
        """Return a line, the default unless one is given."""
        if not self.asks:
            return default
        shown = bool(default)
        question = f"  {escape(question)}"
        said = Prompt.ask(question, console=self.console, default=default, show_default=shown)
        return said.strip()

    def ask_hidden(self, question: str) -> str:
        """Return a line that the terminal does not show."""
        return getpass(f"  {question}: ")  # rich's would ask before it hides what is typed

    def agrees(self, question: str, *, default: bool = True) -> bool:
        """Return whether it may be done."""
        if not self.asks:
            return default
        return Confirm.ask(f"  {escape(question)}", console=self.console, default=default)

    def enough(self) -> bool:
        """Tell whether Enter was pressed meanwhile."""
        if not self.asks or not select.select([sys.stdin], [], [], 0)[0]:
            return False
        sys.stdin.readline()
        return True
