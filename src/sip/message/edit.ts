// What a proxy changes on its way (RFC 3261 16.6, 16.7): all other fields stay byte for byte and in order.
import type { SipRequest, SipResponse } from "./message.ts";

export declare class RequestEdit {
  constructor(request: SipRequest);
  setUri(uri: string): this;
  /** A new first Via. */
  pushVia(via: string): this;
  setMaxForwards(hops: number): this;
  removeFirstRoute(): this;
  removeLastRoute(): this;
  /** Each of the following takes a whole value, such as `<sip:p1;lr>`; it becomes the first of its name. */
  pushRoute(value: string): this;
  /** It becomes the last of its name. */
  appendRoute(value: string): this;
  pushRecordRoute(value: string): this;
  pushPath(value: string): this;
  /** One field with this value in place of all of that name; at the end if there was none. */
  set(name: string, value: string): this;
  append(name: string, value: string): this;
  remove(name: string): this;
  request(): SipRequest;
}
export declare class ResponseEdit {
  constructor(response: SipResponse);
  /** Without the first Via value. */
  popVia(): this;
  set(name: string, value: string): this;
  append(name: string, value: string): this;
  remove(name: string): this;
  response(): SipResponse;
}
