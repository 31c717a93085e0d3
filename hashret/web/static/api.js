// What is asked of the server; an answer that is no success is an error with its words.

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function words(answer) {
  try {
    return (await answer.json()).detail ?? answer.statusText;
  } catch {
    return answer.statusText;
  }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The server does not answer: start hashret serve again.");
  }
  if (answer.status === 401) location.assign("/login");
  if (!answer.ok) throw new Refused(answer.status, await words(answer));
  return answer;
}

function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

export async function get(path, values = {}, options = {}) {
  return (await ask(path + query(values), options)).json();
}

/** Ask for bytes; null while they are still made. */
export async function points() {
  const answer = await ask("/api/map");
  return answer.status === 202 ? null : answer.arrayBuffer();
}

/** Send a picture; a server that is busy is asked again when it says so. */
export async function upload(file, values, options = {}) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await (await ask(`/api/search/upload${query(values)}`, {
        method: "POST",
        body: file,
        headers: { "content-type": "application/octet-stream" },
        ...options,
      })).json();
    } catch (error) {
      if (error.status !== 503 || tries === 4) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000 * 2 ** tries));
    }
  }
}

/** Read lines of JSON as they come; asked for again where the connection breaks, which `lost` is told. */
export async function lines(path, tell, ended, lost) {
  for (let last = null; ; ) {
    try {
      const reader = (await ask(path)).body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ; ) {
        const { done, value } = await reader.read();
        if (done) break;
        const parts = (rest + value).split("\n");
        rest = parts.pop();
        for (const part of parts) tell(last = JSON.parse(part));
      }
      if (last && ended(last)) return last;
    } catch (error) {
      if (error.name === "AbortError" || (error.status && error.status !== 503)) throw error;
      lost(error);
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

export async function send(path, body = {}) {
  return (await ask(path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
  })).json();
}

export async function remove(path) {
  return (await ask(path, { method: "DELETE" })).json();
}
