from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digestmail.text.tex import readable


def check(pairs: dict[str, str]) -> None:
    assert {text: readable(text) for text in pairs} == pairs


def test_it_reads_what_the_sources_really_send():
    check(
        {
            r"sorting in $\mathcal{O}(n)$ time": "sorting in O(n) time",
            r"Andr\'e": "André",
            r"43.3\% better": "43.3% better",
            "S^{2}FT: sparse tuning": "S²FT: sparse tuning",
            r"we call it \textbf{Lantern}": "we call it Lantern",
            "so-called ``quotes'' here": "so-called “quotes” here",
        }
    )


def test_it_folds_white_space_and_drops_what_cannot_be_printed():
    check(
        {
            "hard\n  wrapped\r\nlines\tand tabs ": "hard wrapped lines and tabs",
            "a\u2028b\u2029c\u00a0d": "a b c d",
            "nul\x00 bell\x07 lone\ud800 turned\u202e hidden\u200b": "nul bell lone turned hidden",
            "combining e\u0301 and 👩\u200d🔬 stay": "combining e\u0301 and 👩\u200d🔬 stay",
        }
    )


def test_it_leaves_unbalanced_dollars_and_prices_alone():
    texts = [
        "costs $5 and $6",
        "from $5M to $10M, or $15-$20",
        "between $5 (today) and 7$ (tomorrow)",
        "under $0.1 a page",
        "US$5 against AU$7",
        "A$AP and Ke$ha sing",
        "$HOME and $PATH are variables",
        "$",
        "$$",
        "$$$",
    ]
    check({text: text for text in texts})


def test_it_tells_formulas_from_the_prices_beside_them():
    check(
        {
            "costs $5 while $k$ grows": "costs $5 while k grows",
            r"for \$100 a month": "for $100 a month",
            r"at \$2 and $3\times$ slower": "at $2 and 3× slower",
            r"models below ($<$1B)": "models below (<1B)",
            "in $ 0.07$s": "in 0.07s",
            "M$^3$Net and CO$_2$": "M³Net and CO₂",
            "the $\\sim$10% best, up to $-$3": "the ∼10% best, up to -3",
        }
    )


def test_it_leaves_plain_text_alone():
    texts = [
        "models that write <think> and <EOS>, where a < b",
        "50% of R&D is #1 at ~70%",
        r"C:\Users\new\temp and C:\alpha\beta",
        r"the escape \n, the regex \d+ and \unknown stay",
        "{a, b} is a set, {x} a placeholder",
        "run it with --help -- or <!-- without -->",
        "snake_case and x_1, [^a-z], ^_^",
        "see https://example.org/~me/a_b",
        "``an open quote and a `tick",
        "```code``` stays",
        "10~20 and 10x ~ 50x",
        r"\\\\\\ is a drawing",
    ]
    check({text: text for text in texts})


def test_unknown_macros_never_lose_text():
    check(
        {
            r"we propose \method, a method": r"we propose \method, a method",
            r"\method{} is good": r"\method is good",
            r"\ours{kept \emph{words}} here": r"\ours{kept words} here",
            r"over $\GF{13}$ in $\bigO{n}$": "over GF(13) in bigO(n)",
            r"an \emph{unclosed brace": "an unclosed brace",
        }
    )


def test_it_raises_and_lowers():
    check(
        {
            "$10^{-32}$ and 10^12": "10⁻³² and 10¹²",
            "$x^{n-1}$, $i^{th}$": "xⁿ⁻¹, iᵗʰ",
            "$m^{3/5}$ and $r^{update}$": "m^(3/5) and r^update",
            "$x_{12}$, $x_t$, $p_{i,j}$": "x₁₂, x_t, p_(i,j)",
            r"$R_{\text{crit}}$ and $x_\mathrm{max}$": "R_crit and x_max",
            r"$\mathbb{Z}_{p^e}$": "ℤ_(pᵉ)",
            r"360$^\circ$, 360^{circ}, $V^*$, $N'$": "360°, 360°, V*, N′",
            "O(n^2) and A^2Search and 2^n-1": "O(n²) and A²Search and 2ⁿ-1",
            r"C\textsuperscript{2}GA": "C²GA",
        }
    )


def test_it_reads_fractions_roots_and_letters():
    check(
        {
            r"$\frac{1}{2}$, $\frac12$, $\frac{a+b}{c}$": "1/2, 1/2, (a+b)/c",
            r"$\sqrt{n}$, $\sqrt{n+1}$, $\sqrt[3]{x}$": "√n, √(n+1), ³√x",
            r"$\alpha$-$\varepsilon$, \beta and $\mathbf{x}\in\mathbb{R}^d$": "α-ε, β and x∈ℝᵈ",
            r"$O(n\log n)$, $2 \log_2 n$": "O(n log n), 2 log₂ n",
            r"$1\le N \leq 3$, $2\times 2$, $2 \times 2$": "1≤N ≤ 3, 2×2, 2 × 2",
            r"$\binom{n}{k} \equiv 1 \pmod{p}$": "binom(n, k) ≡ 1 (mod p)",
            r"$\left\{0, 1\right\}^n$, $q \not\in Q$": "{0, 1}ⁿ, q ∉ Q",
            r"$\bar{x}$, $\hat{y}$, $\overline{z}$": "x̅, ŷ, z̅",
            r"\(x\) or \[y\]then $$z$$": "x or y then z",
            r"$\hat{\mbox{\boldmath $u$}}=1$": "û=1",
            r"$\begin{cases} a & b \\ c \end{cases}$": "a b; c",
        }
    )


def test_it_reads_accents_and_letters_of_names():
    check(
        {
            r"Schr\"odinger, Erd\H{o}s, {\'E}mile, Fran\c{c}ois": "Schrödinger, Erdős, Émile, François",
            r"na\"{\i}ve, D{\'\i}az, Hla\v{c}, \v Capek": "naïve, Díaz, Hlač, Čapek",
            r"\L{}ukasz, Bart{\l}omiej, S\o ren": "Łukasz, Bartłomiej, Søren",
            r"stra\ss e, \AA ngstr\"om, 3\,\AA": "straße, Ångström, 3 Å",
        }
    )


def test_it_repairs_what_cleaning_broke():
    check(
        {
            r"at \r{ho} = 0.9 and \b{eta}": "at ρ = 0.9 and β",
            r"he said \"yes\" and \"no\"": 'he said "yes" and "no"',
            r"the model\'s answer": "the model's answer",
            r"an \b{important word}": "an important word",
        }
    )


def test_it_reads_what_cleaning_left_of_links_and_signs():
    check(
        {
            "see https://example.org/a-b{GitHub} and https://example.org/c{here}.": (
                "see https://example.org/a-b (GitHub) and https://example.org/c."
            ),
            "at https://example.org/x{https://example.org/x}": "at https://example.org/x",
            "the route https://example.org/v1/{id} stays": "the route https://example.org/v1/{id} stays",
            "256{times}256 and {sim}50 with B{=}8": "256×256 and ∼50 with B=8",
            r"$x_{sim}$ and $\mathrm{sim}$": "x_sim and sim",
            "{m}agnetic {re}sonance": "magnetic resonance",
            '\\char"00C9\\char"0986': "Éআ",
        }
    )


def test_it_keeps_addresses_and_drops_citations():
    check(
        {
            r"see \url{https://example.org/a_b}": "see https://example.org/a_b",
            r"\href{https://example.org}{code}": "code (https://example.org)",
            r"\href{https://example.org}{https://example.org}": "https://example.org",
            r"the $\href{https://example.org}{link}$": "the link (https://example.org)",
            r"as shown~\cite{a2024,b2025}, and (\citep[p. 3]{c})": "as shown, and",
            r"Net\footnote{Code is at x.} wins": "Net (Code is at x.) wins",
        }
    )


def test_it_unwraps_what_only_changes_the_look():
    check(
        {
            r"{\it slanted} and {\bf bold}": "slanted and bold",
            r"\textbf{S}mall \underline{\textit{C}}aps": "Small Caps",
            r"\textcolor{blue}{\textbf{sky}}": "sky",
            r"$\underline{t}$est-$\texttt{time}$": "test-time",
            "{S}ignal and symmet{R}y, 5{,}084": "Signal and symmetRy, 5,084",
            r"A title \\ on two lines": "A title on two lines",
            r"1.5\,TB, vs.\ others, Q\&A": "1.5 TB, vs. others, Q&A",
            r"many (\eg, this; \ie that) by \textsc{X} \etal.": "many (e.g., this; i.e. that) by X et al.",
        }
    )


def test_it_sets_quotes_dashes_and_ties():
    check(
        {
            "``one\" and `two'": "“one” and ‘two’",
            "the Reed--Muller code, 5--10%, 3$\\times$--4$\\times$": "the Reed–Muller code, 5–10%, 3×–4×",
            "a thought---another": "a thought—another",
            "Title -- Subtitle": "Title -- Subtitle",
            "Fig.~3, (1)~first, Net~v2, 0.4~rad": "Fig. 3, (1) first, Net v2, 0.4 rad",
        }
    )


def test_it_reads_braces_that_only_protect_letters():
    check(
        {
            "the P{\u00f6}lya urn of R{\u00e9}nyi and Fa{\u00e0}": "the P\u00f6lya urn of R\u00e9nyi and Fa\u00e0",
            "with {LangGraph} and {PyTorch}-like tools": "with LangGraph and PyTorch-like tools",
            "fill in {NAME}, {first name}, {x} and {a, b}": "fill in {NAME}, {first name}, {x} and {a, b}",
            "the paths a/{RunId} and \\dir{RunId}": "the paths a/{RunId} and \\dir{RunId}",
        }
    )


def test_it_reads_through_glossaries_underlining_and_sizes():
    check(
        {
            r"a \gls{cnn} and two \glspl{RNN}": "a cnn and two RNNs",
            r"\Gls{ODE} and \acrshort{PDE}": "ODE and PDE",
            r"PLAN (\uline{P}ath \uline{L}ength)": "PLAN (Path Length)",
            r"\sout{old} \hl{new}": "old new",
            r"code: {\scriptsize https://example.org/x}": "code: https://example.org/x",
            r"{\hypersetup{linkcolor=red}see here}": "see here",
            r"Net\footnote{\small Ask us.} wins": "Net (Ask us.) wins",
            r"First. \noindent Second. \medskip": "First. Second.",
            r"one\footnotemark[3] and two\footnotemark": "one and two",
            r"\scalebox{0.8}{$x^2$} and \resizebox{1cm}{!}{small}": "x\u00b2 and small",
            r"\ours{XY} and \mymacro{kept words}": r"\ours{XY} and \mymacro{kept words}",
        }
    )


def test_it_reads_numbers_units_and_signs():
    check(
        {
            r"\num{4000} runs of \SI{5}{ms}, \qty{3}{\%} at \ang{30}": "4000 runs of 5 ms, 3 % at 30\u00b0",
            r"points \ding{172}, \ding{183}, \ding{51}, \ding{55}": "points \u2460, \u2777, \u2713, \u2717",
            r"\ding{72} and \ding{999} and \ding{x}": "\u2605 and \\ding{999} and \\ding{x}",
            "an F1 of ${>}$0.9, ${\\approx}$2 times": "an F1 of >0.9, \u22482 times",
            r"gains of $12\% over ($\mathrm{Base}$) for $5 each": "gains of 12% over (Base) for $5 each",
            r"$T^{\mbox{\tiny p}}$ and $A \xrightarrow{} B \xrightarrow{f} C$": "T\u1d56 and A \u2192 B \u2192 (f) C",
        }
    )


def test_it_reads_verbatim_text_and_environments():
    check(
        {
            r"see \verb|example.org/a_b| and \verb!x y!.": "see example.org/a_b and x y.",
            r"\verb without a mark": r"\verb without a mark",
            r"Two: \begin{enumerate} \item \emph{A.} \item[b)] B. \end{enumerate} Done": "Two: A. B. Done",
            r"so that \begin{align} a &= b^2, \end{align} holds": "so that a = b\u00b2, holds",
            r"\begin{figure} x \end{figure}": r"\begin{figure} x \end{figure}",
            r"type \texttt{\textbackslash hline\{} or": r"type \hline{ or",
            r"Multi\-Agent and Low\- \-Rank": "MultiAgent and Low-Rank",
        }
    )


def test_it_repairs_quotes_that_lost_their_first_half():
    check(
        {
            "a \"Ghost'' layer and ''it's so'' (again)": "a \u201cGhost\u201d layer and \u201cit's so\u201d (again)",
            "\"Odd names'': a study": "\u201cOdd names\u201d: a study",
            "screens of 5'' and 7'', 6'10'' tall": "screens of 5'' and 7'', 6'10'' tall",
            "\"whole\" and 'single' stay": "\"whole\" and 'single' stay",
        }
    )


PIECES = st.sampled_from(
    [
        *"${}^_~`'\"-%&#<>()[].,/:= \\aB1é\n",
        *(
            "$$",
            "--",
            "``",
            "''",
            "\\(",
            "\\)",
            "\\[",
            "\\]",
            "\\\\",
            "\\%",
            "\\$",
            "\\_",
            "\\{",
            "C:\\",
            "\u2028",
            "\x00",
        ),
        *(
            "\\textbf{",
            "\\frac",
            "\\frac{a}{b}",
            "\\sqrt",
            "\\alpha",
            "\\cite{x}",
            "\\href{u}{t}",
            "\\'e",
            '\\"',
            "\\c",
        ),
        *(
            "\\r{ho}",
            "\\begin{a}",
            "\\end{a}",
            "\\left",
            "\\right.",
            "\\mathbb{R}",
            "\\not",
            "\\footnote{",
            "\\mbox",
            "\\log",
        ),
        *(
            "\\textbackslash",
            "\\o",
            "\\foo",
            "\\foo{}",
            "{\\it ",
            "\\text",
            "\\pmod",
            "\\binom",
            "\\operatorname",
            "\\hat",
        ),
        *(
            "\\textsuperscript{",
            "\\input{/etc/hostname}",
            "\\verb|x|",
            "\\ding{182}",
            "\\gls{AB}",
            "\\begin{equation}",
            "\\end{equation}",
            "\\begin{itemize}",
            "\\SI{5}{",
            "\\scalebox{1}{",
            "\\tiny ",
            "{AbC}",
            "\\- \\-",
            "\"a''",
            "\\item",
            "\\href",
            "\\overset",
            "\ud800",
            "\u202e",
        ),
    ]
)
TEXISH = st.lists(PIECES, max_size=25).map("".join)


@given(TEXISH | st.text(max_size=80) | st.text(alphabet="$\\{}^_~`'-ab1 %", max_size=80))
@example("\\\\" * 5)
@example(r"\$x\$")
def test_any_text_becomes_one_printable_line_that_reads_the_same_again(text):
    line = readable(text)

    assert not [character for character in line if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}]
    assert line == " ".join(line.split())
    assert readable(line) == line


@given(
    st.text(alphabet=st.characters(categories=["L", "N", "P", "Zs"], exclude_characters="\\$^{}~`-'\"_"), max_size=80)
)
def test_text_without_tex_signs_is_only_folded(text):
    assert readable(text) == " ".join(text.split())


@pytest.mark.parametrize(
    "text",
    [
        "$" + "{" * 400 + "}" * 400 + "$",
        "$" + "\\sqrt" * 190 + "x$",
        "$" + "\\begin{a}" * 90 + "\\end{a}" * 90 + "$",
        "$" + "\\mbox{$" * 60 + "$}" * 60 + "$",
        "\\(" * 400 + "\\)" * 400,
        "\\frac{" * 160 + "}" * 160,
        "$" + "\\sqrt[" * 160 + "]" * 160 + "$",
        "$" + "]" * 300 + "{" * 300 + "}" * 300 + "$",
        "$" + "{\\}" * 240 + "}" * 240 + "$",
        "$" + "{]" * 300 + "}" * 300 + "$",
        "$" + "\\[" * 240 + "\\]" * 240 + "$",
        "$" + "x^{" * 240 + "}" * 240 + "$",
    ],
    ids=[
        "braces",
        "macros",
        "environments",
        "formulas",
        "brackets",
        "fractions",
        "options",
        "behind",
        "escaped",
        "mixed",
        "display",
        "scripts",
    ],
)
def test_deep_nesting_does_no_harm(text):
    assert readable(text) is not None


@pytest.mark.parametrize(
    "piece",
    [
        "$",
        "{",
        "`",
        "~",
        "\\",
        "\\(",
        "a^{",
        "\\textbf{",
        "$a{ ",
        "``a ",
        "~ ",
        "a{A}",
        "\\cite[",
        "A:\\",
        "$\\begin{a}$",
        "\\begin{align}",
        "\\verb|",
        "\\verb|a",
        "''a",
        '"a ',
        "\"a'b''",
        "{AbC",
        "\\resizebox{a}",
    ],
)
def test_hostile_texts_cost_linear_time(piece):
    short, long = 2_000, 16_000
    readable(piece * 10)
    seconds = {}
    for length in (short, long):
        text = piece * (length // len(piece))
        started = time.process_time()
        readable(text)
        seconds[length] = time.process_time() - started
    # Eight times the length; quadratic work would take 64 times as long.
    assert seconds[long] < 30 * max(seconds[short], 0.002)
