"""What the live page pictures, held against what its stream has told."""

from playwright.async_api import Page

# What the chart has written in its canvases of late: [when, text].
PEN = """
window.written = [];
const write = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
    window.written.push([performance.now(), String(text)]);
    if (window.written.length > 4000) window.written.splice(0, 2000);
    return write.call(this, text, ...rest);
};
"""
# Whatever the page does every five seconds or more seldom, it does 120 times as often: ten minutes in five seconds.
HURRY = """
for (const name of ["setTimeout", "setInterval"]) {
    const start = window[name];
    window[name] = (work, ms = 0, ...rest) => start(work, ms < 5000 ? ms : ms / 120, ...rest);
}
"""
WATCHED_MS = 5000
# Picture by picture: of each ticker with a new price, what was told last, what its card shows of it, and whether the
# label of the chart says it (null where the chart is of another ticker).
WATCH = """async ([tickers, times, leastMs]) => {
    const seen = [], begun = performance.now(), charted = document.getElementById("stage").dataset.ticker;
    let taken = window.told.length, drawnAt = begun;
    const isEnough = () => performance.now() - begun > leastMs
        && tickers.every((ticker) => seen.filter((each) => each.ticker === ticker).length >= times);
    while (!isEnough()) {
        const count = await new Promise((done) => requestAnimationFrame(() => {
            const before = window.told.length;
            setTimeout(() => done(before));
        }));
        if (count !== window.told.length) continue;
        const news = window.told.slice(taken).filter(([name]) => name === "message").map((each) => JSON.parse(each[2]));
        for (const ticker of tickers) {
            const told = news.findLast((each) => each.ticker === ticker);
            if (!told) continue;
            const card = document.querySelector(`.card[data-ticker="${ticker}"]`);
            const shown = [".card-price", "dd:nth-of-type(1)", "dd:nth-of-type(2)"].map(
                (part) => card.querySelector(part).textContent);
            seen.push({ticker, told, shown, after: drawnAt});
        }
        [taken, drawnAt] = [count, performance.now()];
    }
    for (const each of seen) {
        const isIt = ([at, text]) => at >= each.after && text === each.shown[0];
        each.isWritten = each.ticker === charted ? window.written.some(isIt) : null;
    }
    return seen;
}"""
# As long as the chart is empty, every price is a round one.
ROUND_AT_FIRST = """
const parse = JSON.parse;
JSON.parse = (text) => {
    const read = parse(text);
    const isEmpty = !(Number(document.getElementById("chart").dataset.bars) > 0);
    return isEmpty && typeof read?.price === "number" ? {...read, price: Math.round(read.price)} : read;
};
"""
# The label of the last price is at last written as the head of the chart has it, with as many digits.
HAS_THE_DIGITS = """() => {
    const price = document.getElementById("stage-price").textContent;
    return price.split(".")[1]?.length >= 4 && window.written.some(([, text]) => text === price);
}"""


async def assert_the_prices_are_those_told(page: Page, *tickers: str) -> None:
    """Each picture shows the price, bid and ask of the tick that came last, and the label of the chart that price."""
    await page.locator("#chart").press("End")
    seen = await page.evaluate(WATCH, [tickers, 5, WATCHED_MS])
    for each in seen:
        told, (price, *sides) = each["told"], each["shown"]
        assert float(price.replace(",", "")) == told["price"]
        if "best_bid_price" in told:
            assert [float(side.partition(" × ")[0].replace(",", "")) for side in sides] == [
                told["best_bid_price"],
                told["best_ask_price"],
            ]
            assert told["best_bid_price"] < told["best_ask_price"]
    written = [each["isWritten"] for each in seen if each["isWritten"] is not None][:-1]
    assert sum(written) > len(written) / 2, "the chart is drawn live, with a picture of grace"
