// Boxes that scroll sideways can be scrolled with the keyboard: they are a stop of the tab key, but only while there is
// something to scroll, so that nobody has to tab through dozens of boxes that are wholly visible.

function markScrolling(entries) {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
}

function startScrolling() {
  const observer = new ResizeObserver(markScrolling);
  for (const box of document.querySelectorAll('.scroll[role="group"]')) observer.observe(box);
}
