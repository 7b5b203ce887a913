// Keeps the page up to date: asks for the same page every two seconds with the tag of the one shown, and changes only
// what is different. Nothing here renders: the server's page is the one source. Without it the page is whole, too.
'use strict';
(() => {
  const EVERY = 2000;
  const SLOWEST = 30000;
  const main = document.getElementById('main');
  const lost = document.getElementById('lost');
  const live = document.getElementById('live');
  let tag = main.dataset.tag;
  let shown = location.href;
  let ahead = Number(main.dataset.now) - Date.now();
  let wait = EVERY;
  let timer = 0;
  let asking = null;
  let answered = Date.now();
  let trouble = 'does not answer';

  const span = (seconds) =>
    seconds < 60 ? `${seconds} s`
      : seconds < 3600 ? `${Math.floor(seconds / 60)} min`
        : seconds < 172800 ? `${Math.floor(seconds / 3600)} h`
          : `${Math.floor(seconds / 86400)} d`;

  // Ages move on by the server's clock, also while nothing else changes.
  const tick = () => {
    for (const time of document.querySelectorAll('time[data-t]')) {
      const seconds = Math.max(0, Math.floor((Date.now() + ahead - Number(time.dataset.t)) / 1000));
      const text = span(seconds) + ('for' in time.dataset ? '' : ' ago');
      if (time.textContent !== text) time.textContent = text;
    }
    if (!lost.hidden) say();
  };

  const say = () => {
    const text = `The exporter ${trouble}; what is shown is ${span(Math.floor((Date.now() - answered) / 1000))} old.`;
    if (lost.textContent !== text) lost.textContent = text;
  };

  // What was opened by hand stays open; ages are the tick's business.
  const kept = (node, name) => node.nodeName === 'DETAILS' && name === 'open';

  const alike = (one, other) => one.nodeType === other.nodeType && one.nodeName === other.nodeName
    && (one.nodeType !== Node.ELEMENT_NODE || one.dataset.key === other.dataset.key);

  const change = (now, next) => {
    if (now.nodeType !== Node.ELEMENT_NODE) {
      if (now.data !== next.data) now.data = next.data;
      return;
    }
    for (const { name, value } of next.attributes) {
      if (now.getAttribute(name) !== value) now.setAttribute(name, value);
    }
    for (const { name } of [...now.attributes]) {
      if (!next.hasAttribute(name) && !kept(now, name)) now.removeAttribute(name);
    }
    if (now.nodeName === 'INPUT') {
      if (now !== document.activeElement && now.value !== next.value) now.value = next.value;
    } else if (now.nodeName !== 'TIME' || now.childNodes.length !== 1) {
      changeChildren(now, next);
    }
  };

  const changeChildren = (now, next) => {
    const keyed = new Map();
    for (const child of now.children) {
      if (child.dataset.key !== undefined) keyed.set(child.dataset.key, child);
    }
    let place = now.firstChild;
    for (const wanted of [...next.childNodes]) {
      const known = wanted.nodeType === Node.ELEMENT_NODE ? keyed.get(wanted.dataset.key) : undefined;
      if (known) {
        if (known === place) place = place.nextSibling;
        else now.insertBefore(known, place);
        change(known, wanted);
      } else if (place && alike(place, wanted)) {
        change(place, wanted);
        place = place.nextSibling;
      } else {
        now.insertBefore(document.importNode(wanted, true), place);
      }
    }
    while (place) {
      const gone = place;
      place = place.nextSibling;
      gone.remove();
    }
  };

  const show = (html) => {
    const page = new DOMParser().parseFromString(html, 'text/html');
    const next = page.getElementById('main');
    if (!next) throw new Error('no page');
    const focused = document.activeElement;
    change(main, next);
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
    document.title = page.title;
    ahead = Number(main.dataset.now) - Date.now();
    tag = main.dataset.tag;
  };

  const ask = async () => {
    clearTimeout(timer);
    if (asking) asking.abort();
    const mine = asking = new AbortController();
    const limit = setTimeout(() => mine.abort(), 15000);
    const url = location.href.split('#')[0];
    const began = performance.now();
    let refused = 'does not answer';
    try {
      const headers = url === shown ? { 'If-None-Match': tag } : {};
      const answer = await fetch(url, { headers, signal: mine.signal, cache: 'no-store' });
      if (answer.status === 200 || answer.status === 404) {
        show(await answer.text());
        shown = url;
      } else if (answer.status !== 304) {
        refused = `answers ${answer.status}`;
        throw new Error(refused);
      }
      answered = Date.now();
      lost.hidden = true;
      // A page that takes long to make is asked for more rarely.
      wait = Math.min(SLOWEST, Math.max(EVERY, (performance.now() - began) * 10));
    } catch (error) {
      // A newer question took this one's place.
      if (asking !== mine) return;
      trouble = refused;
      lost.hidden = false;
      wait = Math.min(SLOWEST, wait * 2);
    } finally {
      clearTimeout(limit);
    }
    tick();
    if (asking === mine) plan();
  };

  const plan = () => {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(ask, wait);
  };

  const go = (url, replaces) => {
    if (replaces) history.replaceState(null, '', url);
    else history.pushState(null, '', url);
    ask();
  };

  // Filter as you type: a copy of the form's query becomes the page's.
  let typing = 0;
  const filter = () => {
    const form = document.querySelector('form.filter');
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (value !== '') query.append(name, value);
    }
    const text = query.toString();
    go(form.action + (text ? `?${text}` : ''), true);
  };
  document.addEventListener('input', (event) => {
    if (event.target.id !== 'q') return;
    clearTimeout(typing);
    typing = setTimeout(filter, 120);
  });
  document.addEventListener('submit', (event) => {
    event.preventDefault();
    clearTimeout(typing);
    filter();
  });
  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[data-nav]');
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(link.href, false);
  });
  addEventListener('popstate', () => ask());

  // `/` to the filter, Escape empties it, the arrows go from import to import.
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const field = document.getElementById('q');
    const inField = field && event.target === field;
    if (event.key === '/' && field && !inField) {
      event.preventDefault();
      field.focus();
      field.select();
    } else if (event.key === 'Escape' && inField) {
      if (field.value) {
        field.value = '';
        filter();
      } else {
        field.blur();
      }
      event.preventDefault();
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      const links = [...document.querySelectorAll('tbody th > a')];
      const at = links.findIndex((link) => link.closest('tr').contains(document.activeElement));
      if (at < 0 && !inField) return;
      const to = event.key === 'ArrowDown' ? at + 1 : at - 1;
      event.preventDefault();
      if (to < 0 && field) field.focus();
      else if (links[to]) links[to].focus();
    }
  });

  document.addEventListener('visibilitychange', () => (document.hidden ? clearTimeout(timer) : ask()));
  live.textContent = 'Kept up to date.';
  setInterval(tick, 1000);
  tick();
  plan();
})();
